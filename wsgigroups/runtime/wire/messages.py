"""The messages: one frozen class each, a frame's "type" names the class.

Three conversations. Manager and spawner, on the spawner's socket in the run directory: hello, look, listen, keep,
drop, fork, spawned, refused, exited, kept, inventory-ended, retire, ping, pong, molded, unmolded. Spawner and mold
(spawner/molds.py), on a socket that only the spawner writes, fork; on a pipe that only the mold writes, molded,
spawned, refused. Manager and daemon of one life: on the channel, a socket that only the manager writes, spec, drain,
part, tune, route-files, site-counts, route, dump-stacks, interrupt; on the reports, a pipe that only the daemon writes
(wire/lines.py), ready, failed, in-flight, leaving. Every message about a process carries its life; the receiver drops
what belongs to another one. Unknown types are ignored with a log line, so that versions can differ by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Dict, Type

# Of both conversations. A spawner of another ABI is never asked to fork: a manager takes what it kept, has its daemons
# followed by new ones and retires it. 1: daemons answered on the channel. 2: they report on a pipe.
ABI = 2
# What is understood within an ABI, by who says hello. 0: a spawner that did not say, or an earlier manager. 1: ping.
# 2: molds.
PROTOCOL = 2


@dataclass(frozen=True)
class Message:
    """Base of all; fields are plain JSON data."""

    def to_frame(self) -> Dict[str, Any]:
        """Return the body of a frame: what it is made of is not copied."""
        return dict(self.__dict__, type=TYPE_OF[type(self)])


@dataclass(frozen=True)
class Hello(Message):
    """Both ways, first on a connection. `key` is the spawner's, empty from a manager.

    From a manager with fds [write end of a pipe]: everything is answered on that, in lines and without descriptors. So
    a user's spawner is spoken to, whose manager could not even close what it was sent without waiting for it.
    """

    abi: int
    pid: int
    key: str = ""
    python: str = ""  # "3.11.2"
    executable: str = ""
    protocol: int = 0  # PROTOCOL
    runtime: str = ""  # the directory that it was loaded from
    digest: str = ""  # of what it was loaded from: wire.identity


@dataclass(frozen=True)
class Look(Message):
    """To a spawner, in the place of a hello: tell what you keep. Answered as a hello is, without descriptors.

    Nothing changes by it; who asks is no manager.
    """


@dataclass(frozen=True)
class Listen(Message):
    """Manager to spawner, fds [bound socket]: listen there for managers from now on, the file of before is gone."""


@dataclass(frozen=True)
class Keep(Message):
    """Manager to spawner: hold these descriptors for the next manager. Same key again replaces.

    kind "listener": key is group and address, fds [socket, pulse]. kind "process": key is the life as text, fds
    [pidfd, manager's end of the channel, read end of the reports, board], without the reports of a daemon that is not
    listened to; only sent for processes that this spawner did not fork.
    """

    kind: str
    key: str
    info: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop(Message):
    """Manager to spawner: forget what was kept under this kind and key, closing its descriptors.

    Kind "process" with the life of an Exited acknowledges it: the spawner reports an exit on every new connection until
    then.
    """

    kind: str
    key: str


@dataclass(frozen=True)
class Kept(Message):
    """Spawner to manager, after hello: one kept item with its descriptors (same order as in Keep).

    A process forked here is reported as kind "process" with info of its Fork plus "pid"; one that has ended but was
    never acknowledged follows as Exited.
    """

    kind: str
    key: str
    info: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class InventoryEnded(Message):
    """Spawner to manager: everything kept has been reported."""


@dataclass(frozen=True)
class Fork(Message):
    """Manager to spawner. fds [daemon's end of the channel, manager's end, read end of the reports, write end, board].

    To a spawner that is a user's only the first and the last two: what another manager needs is kept elsewhere.

    The spawner closes the daemon's end and the write end after the fork and keeps the others. `info` is what a later
    manager needs to recognise the process: at least group, slot and fingerprint; never secrets.

    mold: of protocol 2 or later; "" for a process that loads the application itself. Else the life that founds the
    mold, as text: this life's own has the process leave a mold when it has loaded the application, another one's has
    that mold fork. The spawner sends the latter on to the mold with fds [daemon's end, write end, board].
    """

    life: int
    info: Dict[str, Any] = field(default_factory=dict)
    mold: str = ""


@dataclass(frozen=True)
class Spawned(Message):
    """Spawner to manager: the fork succeeded. fds [pidfd]."""

    life: int
    pid: int


@dataclass(frozen=True)
class Refused(Message):
    """Spawner to manager: the fork failed; nothing exists."""

    life: int
    reason: str


@dataclass(frozen=True)
class Exited(Message):
    """Spawner to manager: the process ended and was reaped; what was left of its session was killed before.

    `reason` is the reason word of its board at the end (board.REASON), `words` has the board's counters by name; both
    are untrusted integers. `in_flight` is what wire.in_flight reads of it. `info` is that of its Fork. ended_at:
    seconds since the epoch; 0 where the spawner does not say.
    """

    life: int
    pid: int
    exit_code: int = -1  # -1 when a signal ended it
    signal: int = 0
    user_s: float = 0.0
    system_s: float = 0.0
    maximum_rss_bytes: int = 0
    reason: int = 0
    info: Dict[str, Any] = field(default_factory=dict)
    words: Dict[str, Any] = field(default_factory=dict)
    in_flight: Dict[str, Any] = field(default_factory=dict)
    ended_at: float = 0.0


@dataclass(frozen=True)
class Retire(Message):
    """Manager to spawner: exit as soon as no process forked here is left."""


@dataclass(frozen=True)
class Ping(Message):
    """Manager to spawner, of protocol 1 or later: answer with a Pong of this number."""

    number: int


@dataclass(frozen=True)
class Pong(Message):
    """Spawner to manager: it is there."""

    number: int


@dataclass(frozen=True)
class Molded(Message):
    """Mold to spawner: it has the application, and forks. Spawner to manager, of protocol 2 or later: so it is.

    To the manager also behind the inventory, of each that is there; then `info` is that of the Fork that founded it.
    """

    mold: str  # the life that founded it
    pid: int
    info: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unmolded(Message):
    """Spawner to manager: the mold is gone, or never came to be although its founder lives."""

    mold: str
    reason: str


@dataclass(frozen=True)
class SpecMessage(Message):
    """Manager to daemon, once. fds [log, listener, …, pulse, …]: listeners in the order of Spec.listen, then
    (Spec.pulses) the pulse of each, and last (Spec.access_log) the access log. Behind the log (Spec.log_token) the
    same pipe once more, which does not block, for records.
    """

    spec: Dict[str, Any]


@dataclass(frozen=True)
class Drain(Message):
    """Manager to daemon: leave. First `window_s` still accepting, ended early when idle; then no new requests.

    The manager, not the daemon, enforces the end with SIGKILL.
    """

    life: int
    reason: str
    window_s: float = 0.0
    followed: bool = True  # others serve the group's addresses on; else idle connections are not waited for for long
    closes: bool = False  # nobody will serve them: what waits there is taken, and the listeners are closed for all


@dataclass(frozen=True)
class PartMessage(Message):
    """Manager to daemon: go on, but have each answer say `Connection: close`. A Tune without anything ends that."""

    life: int


@dataclass(frozen=True)
class Tune(Message):
    """Manager to daemon: new values for fields of Serving that may change while it runs, or a new title.

    `spec` has new values for fields of Spec itself: shutdown_timeout_s, graceful_timeout_s, eviction_timeout_s,
    script_user, script_group, reload. Unknown keys are ignored. The daemon writes `number` on its board when it goes by
    them; 0: it need not. One without anything says that the daemon is to serve on: requests that it has left to a
    successor are its own, and connections are kept.
    """

    life: int
    serving: Dict[str, Any] = field(default_factory=dict)
    title: str = ""
    spec: Dict[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Route(Message):
    """Manager to gateway: the routes from now on. fds [routes, directory, …, access log, …].

    `routes` is a sealed file with Routes.to_wire as JSON; so many `directories` and `access_logs` follow it, and take
    the place of all of before. Those that a frame has no room for come before it, with RouteFiles. The first Route
    follows the spec, and a gateway is ready when it goes by that; it writes `number` on its board as after a Tune. One
    that cannot be used is logged, and changes nothing: the board says routes.REFUSED in the number's place.
    """

    life: int
    directories: int = 0
    access_logs: int = 0
    number: int = 0


@dataclass(frozen=True)
class RouteFiles(Message):
    """Manager to gateway, fds [directory or access log, …]: the first of those that the next Route has, in order."""

    life: int


@dataclass(frozen=True)
class SiteCounts(Message):
    """Manager to gateway, fds [page]: count requests there, of each site of the next Route (gateway/site_counts.py)."""

    life: int


@dataclass(frozen=True)
class Reopen(Message):
    """Manager to daemon or spawner, fds [log]: write there from now on. life: 0 for a spawner.

    With a token fds [log, the same pipe for records]: a log writer takes them, as with Spec.log_token.
    """

    life: int = 0
    token: str = ""


@dataclass(frozen=True)
class DumpStacks(Message):
    """Manager to daemon: tell what you are doing, in the log and with InFlight; what holds the GIL prevents it."""

    life: int


@dataclass(frozen=True)
class Interrupt(Message):
    """Manager to daemon: raise RequestTimeout in a request, if it is in the application still and was not before.

    `thread` is the number of its request thread, `since_ns` that one's busy word.
    """

    life: int
    thread: int
    since_ns: int


@dataclass(frozen=True)
class Ready(Message):
    """Daemon to manager: applications are loaded and every listener is accepting."""

    life: int
    pid: int
    python: str = ""
    confinement: Dict[str, Any] = field(default_factory=dict)  # option → what became of it: daemon.confining


@dataclass(frozen=True)
class Failed(Message):
    """Daemon to manager, just before it exits: what went wrong on the way up."""

    life: int
    step: str  # a key of exits.STEPS
    message: str  # one sentence, "cannot …"
    traceback: str = ""
    reason: str = ""  # a key of board.REASON where the option behind it is known: memory-limit


@dataclass(frozen=True)
class InFlight(Message):
    """Daemon to manager, after DumpStacks: the requests in the application, a line each, and all stacks."""

    life: int
    requests: str = ""
    stacks: str = ""


@dataclass(frozen=True)
class Leaving(Message):
    """Daemon to manager: it is going to leave by itself; a successor may start now."""

    life: int
    reason: str  # a key of board.REASON


MESSAGES: Dict[str, Type[Message]] = {
    "hello": Hello,
    "look": Look,
    "listen": Listen,
    "keep": Keep,
    "drop": Drop,
    "kept": Kept,
    "inventory-ended": InventoryEnded,
    "fork": Fork,
    "spawned": Spawned,
    "refused": Refused,
    "exited": Exited,
    "retire": Retire,
    "ping": Ping,
    "pong": Pong,
    "molded": Molded,
    "unmolded": Unmolded,
    "spec": SpecMessage,
    "drain": Drain,
    "part": PartMessage,
    "tune": Tune,
    "route": Route,
    "route-files": RouteFiles,
    "site-counts": SiteCounts,
    "reopen": Reopen,
    "dump-stacks": DumpStacks,
    "interrupt": Interrupt,
    "ready": Ready,
    "failed": Failed,
    "in-flight": InFlight,
    "leaving": Leaving,
}
TYPE_OF = {kind: name for name, kind in MESSAGES.items()}


class MessageError(Exception):
    """A frame is no message of ours, or lacks what its message must have."""


def decode(body: Dict[str, Any]) -> Message:
    """Turn a frame's body into its message. Raises MessageError; unknown keys are ignored."""
    kind = MESSAGES.get(body["type"])
    if kind is None:
        raise MessageError("unknown message type %r" % (body["type"],))
    values = {}
    for name, expected in _EXPECTED[kind]:
        if name not in body:
            continue
        value = body[name]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise MessageError("%s.%s is %s" % (body["type"], name, type(value).__name__))
        values[name] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise MessageError("%s: %s" % (body["type"], error)) from None


_JSON_TYPE: Dict[str, Any] = {"int": int, "float": (int, float), "str": str, "bool": bool, "Dict[str, Any]": dict}
_EXPECTED = {kind: [(item.name, _JSON_TYPE[str(item.type)]) for item in fields(kind)] for kind in MESSAGES.values()}
