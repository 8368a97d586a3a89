"""What the core tells the shell to do. Pure data; nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import Change
    from wsgigroups.plan.desired import GroupTarget


@dataclass(frozen=True, slots=True)
class SpawnLife:
    """Fork a process for this record of this target."""

    record: Record
    target: GroupTarget


@dataclass(frozen=True, slots=True)
class DrainLife:
    """Ask the daemon to leave."""

    record: Record


@dataclass(frozen=True, slots=True)
class KillLife:
    """SIGKILL to the life's process group, now or a moment later."""

    record: Record
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TuneGroup:
    """Push live options to the running processes of a group; GroupTuned answers."""

    target: GroupTarget
    lives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ServeOn:
    """These lives may have left requests to successors, and there will be none (script-reloading = "wait").

    Those that were told to part with their clients keep them again.
    """

    lives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PartFromClients:
    """These lives go on, and have each client whom they answer connect anew."""

    lives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReleaseGroup:
    """The group is gone: close its listeners, remove its sockets."""

    group: str


@dataclass(frozen=True, slots=True)
class FinishChange:
    """Somebody may wait for this change."""

    change: Change


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the manager's log."""

    level: str  # info, warning, error
    text: str
    group: str = ""  # whose processes caused it


@dataclass(frozen=True, slots=True)
class StoreState:
    """What a next manager has to know has changed without anybody having asked."""


Command = (
    StoreState
    | SpawnLife
    | DrainLife
    | KillLife
    | TuneGroup
    | ServeOn
    | PartFromClients
    | ReleaseGroup
    | FinishChange
    | Note
)
