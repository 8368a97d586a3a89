"""What the configuration asks for, resolved to numbers: one frozen target per group. Pure data.

Built by `wsgigroups.manager.resolve`; stored as JSON with each revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ListenerTarget:
    """One bound socket of a group. Bytes; 0 leaves the system's buffer sizes."""

    address: str
    backlog: int = 100
    receive_buffer_size_bytes: int = 0
    send_buffer_size_bytes: int = 0
    owner_uid: int | None = None  # of a UNIX socket's file, mode 0600


@dataclass(frozen=True, slots=True)
class SpawnerTarget:
    """Which interpreter forks the group's daemons. lang and locale are decided before it starts."""

    key: str
    executable: str
    lang: str | None = None
    locale: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """One group as it should be."""

    name: str
    processes: int
    fingerprint: str  # over the options with effect replace and the addresses
    options: Mapping[str, str]  # effective values as text, by option name; secrets only as digests
    spec: Mapping[str, Any]  # JSON form of runtime.wire.spec.Spec, slot and life still 0
    listeners: tuple[ListenerTarget, ...]
    spawner: SpawnerTarget
    rules: Mapping[str, Any] = field(default_factory=dict)  # fields of lifecycle.watch.Rules
    startup_timeout_s: float = 0.0
    log_path: str = ""
    user: str | None = None  # for status; None when the manager is not root
    group: str | None = None
    notices: tuple[str, ...] = ()  # said in plan

    @property
    def uid(self) -> int | None:
        """Whose processes these are; None: they are the manager's user's."""
        identity = self.spec.get("identity")
        return int(identity["uid"]) if identity else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def scaled(self, processes: int) -> GroupTarget:
        """Return the same target with another number of processes."""
        return replace(self, processes=processes)


def target_from_json(data: Mapping[str, Any]) -> GroupTarget:
    """Build a target from `to_json`'s data. Raises KeyError, TypeError for another shape."""
    values = dict(data)
    values["listeners"] = tuple(ListenerTarget(**item) for item in values["listeners"])
    values["spawner"] = SpawnerTarget(**values["spawner"])
    values["notices"] = tuple(values.get("notices", ()))
    return GroupTarget(**values)


Desired = Mapping[str, GroupTarget]
