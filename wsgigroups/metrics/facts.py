"""What metrics are made of: what the manager has read of boards, of /proc and of its own state. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDED_CPU = "cpu_us"  # of processes that have ended, in microseconds, among the words of GroupFacts.ended
ENDED_BY = "ended:"  # before a cause there: how many have ended so


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process. words: of its board, {} for one that has none; 0 of what is not known."""

    slot: int
    life: int
    words: Mapping[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0
    rss_bytes: int = 0
    pss_bytes: int = 0  # read now and then
    utilisation: float | None = None  # share of its request threads that were busy lately
    uptime_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """One group. ended: what processes that have ended have counted, by word, and how many ended why."""

    name: str
    state: str
    processes_wanted: int
    processes_ready: int
    threads: int  # of one process
    restarts: int
    rolling: bool  # its processes are being replaced by what has still to show that it lasts
    proved: bool  # its configuration came up and lasted
    ended: Mapping[str, int] = field(default_factory=dict)
    processes: tuple[ProcessFacts, ...] = ()
    molds_rss_bytes: int = 0  # of those that fork its processes (preload)
    molds_pss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ManagerFacts:
    """The manager itself. cpu_s, rss_bytes: of its own process."""

    version: str
    python: str
    revision: int
    uptime_s: float
    handovers: int
    stopping: bool
    cpu_s: float
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All of one scrape. certificates: seconds that are left, by file."""

    manager: ManagerFacts
    groups: tuple[GroupFacts, ...] = ()
    certificates: Mapping[str, float] = field(default_factory=dict)
