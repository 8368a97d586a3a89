"""What runs, as processes and the manager's records report it. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ObservedProcess:
    """One live process."""

    slot: int
    life: int
    fingerprint: str
    ready: bool
    start_s: float | None = None  # from the fork to ready
    rss_bytes: int | None = None
    code: Mapping[str, str] = field(default_factory=dict)  # that it was started with; a part that is missing: unknown


@dataclass(frozen=True, slots=True)
class ObservedGroup:
    """One group that the manager keeps."""

    options: Mapping[str, str]  # as of the target in force
    fingerprint: str
    processes: int  # in force, a temporary scale included
    scaled: bool  # by `wsgigroups scale`
    stopped: bool  # by `wsgigroups stop`
    members: tuple[ObservedProcess, ...] = ()
    wanted: int = 0  # ready processes; 0 of a group that was stopped
    ready: int = 0  # that are what the target in force asks for
    trouble: str = ""  # why there are fewer
    unknown: bool = False  # found running: the options are not known
    listen: tuple[str, ...] = ()  # of an unknown one
    follows_load: bool = False  # the number in force is what the load has come to
    law: str = ""  # what that comes from, a clause
    code: Mapping[str, str] = field(default_factory=dict)  # that its next processes are thought to get


Observed = Mapping[str, ObservedGroup]
