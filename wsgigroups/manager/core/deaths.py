"""Death records: why a process ended, what it was doing, what it used. Pure.

One record for each process that has ended, asked to or not. Much in it is a tenant's word about itself (requests,
stacks, log): it is cleaned and cut when the record is made, and never decides anything.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core.stacks import Frame
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.lifecycle.step import Exit, Record
    from wsgigroups.manager.core.model import GroupState, LastError

Cause = Literal[
    "crashed", "killed", "out-of-memory", "exited", "not-started", "startup-timeout",
    "deadlock-timeout", "request-timeout", "board", "reports",
    "cut-off", "recycled", "replaced", "stopped", "unknown",
]  # fmt: skip
CAUSES: tuple[str, ...] = get_args(Cause)
# signal(7): what a process does to itself. Anybody may send one of these, too, which cannot be told apart.
FAULTS = frozenset({"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"})
ASKED = frozenset({"cut-off", "recycled", "replaced", "stopped"})
JUDGED: dict[str, Cause] = {
    "deadlock-timeout": "deadlock-timeout",
    "request-timeout": "request-timeout",
    "board": "board",
    "reports": "reports",
}
_LEAVING: dict[str, Cause] = {"replaced": "replaced", "reload": "replaced", "stop": "stopped", "shutdown": "stopped"}
MAXIMUM_BYTES = 12_000  # of a record as JSON


@dataclass(frozen=True, slots=True)
class RequestAtDeath:
    """A request that was in the application. asked: method and path, "" if that is not known; ages in seconds."""

    asked: str
    age_s: float
    thread: int
    stack: tuple[Frame, ...] = ()  # the innermost call last

    @property
    def frame(self) -> Frame | None:
        """The application's innermost call, or of who is called by none of its own the one nearest to it."""
        own = next((frame for frame in reversed(self.stack) if frame.kind == "application"), None)
        return own or next((frame for frame in reversed(self.stack) if frame.kind == "library"), None)


@dataclass(frozen=True, slots=True)
class Death:
    """How one life ended. at: seconds since the epoch; None and "": not known, or there is none.

    reason: the option or the wish behind it; managed: whether a manager saw it; rss_bytes: the most that it had.
    """

    at: float
    group: str
    slot: int
    life: int
    pid: int | None
    cause: Cause
    reason: str = ""
    message: str = ""
    step: str = ""
    exit_code: int | None = None
    signal: str = ""
    up_s: float | None = None
    managed: bool = True
    requests: tuple[RequestAtDeath, ...] = ()
    requests_total: int = 0
    stack: tuple[Frame, ...] = ()  # of the thread that crashed, or that loaded the application
    rss_bytes: int | None = None
    cpu_s: float | None = None
    revision: int | None = None
    log: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether the manager or a person wanted the process to end."""
        return self.cause in ASKED


def cause_of(
    group: GroupState | None, record: Record, status: Exit, signal: str, error: LastError | None, *, out_of_memory: bool
) -> tuple[Cause, str]:
    """Return the cause and the option, or the wish, behind it.

    group, record: as they were before the exit; error: what is on record of this life's end; signal: its name, or "".
    """
    life = record.life
    wish = ""
    if group is not None:
        held = group.held.get(life)
        wish = group.recycle.get(life) or (held.reason if held else "")
    if record.reason in JUDGED:
        return JUDGED[record.reason], record.reason
    overdue = error is not None and error.message.startswith("startup-timeout")
    if overdue or (record.state is Tenancy.ABORTING and not (error and error.step)):
        return "startup-timeout", "startup-timeout"
    if out_of_memory and signal:
        return "out-of-memory", "memory-max"
    if signal in FAULTS:
        return "crashed", ""
    reason = record.reason or wish
    leaves = record.state in (Tenancy.DRAINING, Tenancy.KILLING) or bool(wish)
    if leaves and record.state is Tenancy.KILLING and signal:
        return "cut-off", reason
    if leaves and status.exit_code == 0:
        return _LEAVING.get(reason, "recycled"), reason
    if signal:
        return "killed", reason
    if error is not None and error.step:
        return "not-started", ""
    if record.ready_at is None and not leaves:
        return ("not-started" if status.exit_code >= 0 else "unknown"), ""
    return ("exited" if status.exit_code >= 0 else "unknown"), reason


def cut_off(cause: Cause) -> Cause:
    """Return the cause of an end with requests in the application: who left as it was told to had none any more."""
    return "cut-off" if cause in ASKED else cause


def unmanaged_cause(status: Exit, signal: str) -> Cause:
    """Return the cause of an end that no manager saw: what the process was told meanwhile is not known."""
    if signal:
        return "crashed" if signal in FAULTS else "killed"
    return "exited" if status.exit_code >= 0 else "unknown"


def to_json(death: Death) -> dict[str, Any]:
    """Return the record as plain data, without what is not known."""
    data = {key: value for key, value in asdict(death).items() if value not in (None, "", ())}
    data["at"] = round(death.at, 3)
    return data


def from_json(data: Any) -> Death | None:
    """Read a record; None for what no manager wrote. What a later version has besides is left out."""
    try:
        if data["cause"] not in CAUSES:
            return None
        known = {field.name for field in fields(Death)}
        values = {key: value for key, value in data.items() if key in known}
        values["requests"] = tuple(_request(item) for item in data.get("requests", ()))
        values["stack"] = _stack(data.get("stack", ()))
        values["log"] = tuple(str(line) for line in data.get("log", ()))
        for key, kind in (("at", float), ("slot", int), ("life", int), ("group", str)):
            values[key] = kind(data[key])
        return Death(**{"pid": None, **values})
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _request(item: Any) -> RequestAtDeath:
    return RequestAtDeath(str(item["asked"]), float(item["age_s"]), int(item["thread"]), _stack(item.get("stack", ())))


def _stack(items: Any) -> tuple[Frame, ...]:
    return tuple(
        Frame(item["kind"], str(item["place"]), str(item["function"]), int(item["count"]))
        for item in items
        if item["kind"] in ("application", "library", "server")
    )


def lessened(death: Death) -> Iterator[Death]:
    """Give the record, and then with less and less of what a tenant can make long, until hardly anything is left."""
    yield death
    requests = death.requests
    for kept in (4, 1, 0):
        requests = tuple(
            request if place < kept else replace(request, stack=request.stack[-1:])
            for place, request in enumerate(requests)
        )
        yield replace(death, requests=requests)
    death = replace(death, requests=requests, stack=death.stack[-5:], log=death.log[-5:])
    yield death
    yield replace(death, requests=requests[:1], stack=(), log=())
    yield replace(death, requests=(), stack=(), log=(), message=death.message[:200])
