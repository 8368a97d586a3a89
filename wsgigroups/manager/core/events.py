"""What the shell tells the manager's core: past tense for what happened, imperative for what people ask. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.lifecycle.step import Exit
    from wsgigroups.plan.desired import GroupTarget


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A group that the configuration asks for and this host cannot have at present. described: see GroupState.bare."""

    reason: str
    described: GroupTarget


@dataclass(frozen=True, slots=True)
class Apply:
    """A new desired state; groups that are not in it are removed, unknown ones only when their address is wanted.

    Those that are not ready are tried again. unresolved: what could not be made into a target, and why; a target that
    only describes it where there is no other. only: the groups that it is about, None: all; others stay as they are.
    """

    targets: Mapping[str, GroupTarget]
    revision: int
    kind: str = "apply"
    unresolved: Mapping[str, Unresolved] = field(default_factory=dict)
    renewed: frozenset[str] = frozenset()  # groups whose processes are replaced for new code, whatever else is equal
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a group of the configuration in force is on this host, which could not be had before."""

    target: GroupTarget


@dataclass(frozen=True, slots=True)
class Rerouted:
    """What a gateway goes by from now on without having been asked for: a certificate was renewed."""

    target: GroupTarget


@dataclass(frozen=True, slots=True)
class Return:
    """Undo the apply under way; another change's number does nothing."""

    change: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Let the apply under way rest, or go on; another change's number does nothing."""

    change: int
    paused: bool = True


@dataclass(frozen=True, slots=True)
class StillUnresolved:
    """A group could not be had again, and why."""

    group: str
    reason: str


@dataclass(frozen=True, slots=True)
class CodeKnown:
    """What the processes of groups have loaded, of which nobody knew it: nothing is replaced for that."""

    code: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Restart:
    """Replace these groups' processes, successor first. revision: of a deploy, which is done wholly or taken back."""

    groups: tuple[str, ...]
    kind: str = "restart"
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → what the new processes get
    slots: Mapping[str, frozenset[int]] = field(default_factory=dict)  # group → these alone; not there: all
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Reload:
    """The graceful signal: recycle in the eviction window."""

    groups: tuple[str, ...]
    kind: str = "reload"
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → what the new processes get
    slots: Mapping[str, frozenset[int]] = field(default_factory=dict)  # group → these alone; not there: all


@dataclass(frozen=True, slots=True)
class Stop:
    """Drain these groups and keep them stopped."""

    groups: tuple[str, ...]
    kind: str = "stop"


@dataclass(frozen=True, slots=True)
class Start:
    """Start stopped groups; ends a backoff at once."""

    groups: tuple[str, ...]
    kind: str = "start"
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # group → what the new processes get


@dataclass(frozen=True, slots=True)
class Scale:
    """Another number of processes until the next apply."""

    processes: Mapping[str, int]
    kind: str = "scale"


@dataclass(frozen=True, slots=True)
class Scaled:
    """The load of a group asks for another number of processes. reason: a clause."""

    group: str
    processes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Drain everything; now skips the windows and the waiting. delay_s: for how long all serve on before, answers last.

    Of an end that is put off already, one without a delay is the beginning.
    """

    now: bool = False
    delay_s: float = 0.0
    kind: str = "shutdown"


@dataclass(frozen=True, slots=True)
class StillQueued:
    """It is not yet the turn of these lives to be forked, or has just come: the limit on that begins anew."""

    lives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LifeSpawned:
    """The spawner forked."""

    life: int
    pid: int


@dataclass(frozen=True, slots=True)
class LifeRefused:
    """No process came to be. permanent: no attempt can succeed until somebody changes something.

    accident: it says nothing about the target, whose rollout goes on with the next attempt.
    """

    life: int
    reason: str
    permanent: bool = False
    accident: bool = False


@dataclass(frozen=True, slots=True)
class LifeBecameReady:
    """The daemon said so."""

    life: int


@dataclass(frozen=True, slots=True)
class LifeFailed:
    """The daemon's last words; its exit follows."""

    life: int
    step: str
    message: str
    traceback: str
    reason: str = ""  # the option behind it, where the daemon knows


@dataclass(frozen=True, slots=True)
class LifeExited:
    """The process is gone. counted: totals.counters of its board; group: whose it was, record or not.

    out_of_memory: the kernel killed in its cgroup for want of memory; signal: the name of the one that ended it; cut:
    whether requests were in its application; cpu_s: its processor time, where that is known.
    """

    life: int
    exit: Exit
    counted: Mapping[str, int] = field(default_factory=dict)
    group: str = ""
    out_of_memory: bool = False
    signal: str = ""
    cut: bool = False
    cpu_s: float | None = None


@dataclass(frozen=True, slots=True)
class LifeStalled:
    """Judged from outside: drained at once or in its graceful window; one that serves, when its successor is ready."""

    life: int
    reason: str
    detail: str = ""
    graceful: bool = False
    serves: bool = False


@dataclass(frozen=True, slots=True)
class LifeOverdue:
    """Ready, but it does not come up: it is killed, and what follows waits for its backoff."""

    life: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LifeLetGo:
    """Told to leave at once, it takes no connections any more."""

    life: int


@dataclass(frozen=True, slots=True)
class LifeTold:
    """What a life that was judged had under way."""

    life: int
    requests: tuple[str, ...]
    stacks: str = ""


@dataclass(frozen=True, slots=True)
class LifeWorn:
    """It should be followed by a fresh one: maximum-requests, restart-interval, memory-soft-limit …"""

    life: int
    reason: str
    start_bytes: int = 0  # of a process that was above memory-soft-limit when it was ready: how large it was


@dataclass(frozen=True, slots=True)
class ScriptChanged:
    """A script file is newer than this process of the group: roll the group."""

    life: int


@dataclass(frozen=True, slots=True)
class Answers:
    """How many requests processes have answered, and how many of those with a status of 500 or more."""

    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class RolloutCounted:
    """What the processes of a rollout have answered so far: those that are new, and those that they replace."""

    group: str
    new: Answers
    old: Answers


@dataclass(frozen=True, slots=True)
class RoomFound:
    """For how many processes more than there are now the machine has memory, by what those take that run."""

    group: str
    processes: int


@dataclass(frozen=True, slots=True)
class GroupTuned:
    """The running processes were given their live options. refused: life → what could not be changed, and why.

    failed: what could not be changed for the group as a whole, and would not be with other processes. unusable: life →
    why it goes by what it had, and a successor would be no better.
    """

    group: str
    lives: tuple[int, ...]
    refused: Mapping[int, str] = field(default_factory=dict)
    failed: str = ""
    unusable: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListenersRenewed:
    """The group has a socket that its processes do not have: nobody reaches them by the one that they have."""

    group: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """The state was put together from what lives; look at every group once."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; deadlines are looked at."""


Event = (
    Apply
    | Return
    | Pause
    | Resolved
    | Rerouted
    | CodeKnown
    | StillUnresolved
    | Restart
    | Reload
    | Stop
    | Start
    | Scale
    | Scaled
    | Shutdown
    | StillQueued
    | LifeSpawned
    | LifeRefused
    | LifeBecameReady
    | LifeFailed
    | LifeExited
    | LifeStalled
    | LifeOverdue
    | LifeLetGo
    | LifeTold
    | LifeWorn
    | ScriptChanged
    | RolloutCounted
    | RoomFound
    | GroupTuned
    | ListenersRenewed
    | Recovered
    | Tick
)
