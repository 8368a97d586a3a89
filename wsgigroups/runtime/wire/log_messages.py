"""What a manager and its log writer say to each other, on the writer's socket in the run directory.

Manager to writer: log-hello, outlet, source, flush, last-words, log-ping, log-listen, end. Writer to manager:
log-hello, kept-source, sources-ended, full, source-over, flushed, words, log-pong. Unknown types are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Dict, Type

# A writer of another ABI, or of another installation, is told to end, and what it read is read by the next one.
ABI = 1


@dataclass(frozen=True)
class LogMessage:
    """Base of all; fields are plain JSON data."""

    def to_frame(self) -> Dict[str, Any]:
        """Return the body of a frame: what it is made of is not copied."""
        return dict(self.__dict__, type=_TYPE_OF[type(self)])


@dataclass(frozen=True)
class LogHello(LogMessage):
    """Both ways, first on a connection."""

    abi: int
    pid: int
    digest: str = ""  # of what it was loaded from: wire.identity


@dataclass(frozen=True)
class LogOutlet(LogMessage):
    """Manager to writer, fds [file or stream]: what has this name is written there from now on.

    Without a descriptor: nothing has this name any more.
    """

    key: str
    format: str = "text"  # or "json"
    rotate_bytes: int = 0  # tell with Full when it is that long; 0: never
    # "journal": journald reads it, so that each line begins with its priority (sd-daemon(3)); "syslog": a socket of
    # datagrams, one for each line (RFC 3164)
    lines: str = "plain"


@dataclass(frozen=True)
class LogSource(LogMessage):
    """Manager to writer: a pipe, fds [read end]; without a descriptor it is known, and these are its facts from now on.

    form "records": frames, and raw lines of whoever has the descriptor. "lines": lines that are passed on as they are,
    clean, as those of an access log.
    """

    key: str
    outlet: str
    group: str = ""
    slot: int = 0
    life: int = 0
    pid: int = 0
    token: str = ""
    form: str = "records"
    records_per_s: int = 0  # 0: no limit


@dataclass(frozen=True)
class KeptSource(LogMessage):
    """Writer to manager, after hello, fds [read end]: a pipe that it reads."""

    key: str
    outlet: str = ""
    group: str = ""
    slot: int = 0
    life: int = 0
    pid: int = 0
    token: str = ""
    form: str = "records"
    records_per_s: int = 0


@dataclass(frozen=True)
class SourcesEnded(LogMessage):
    """Writer to manager: every pipe has been told of."""


@dataclass(frozen=True)
class SourceOver(LogMessage):
    """Writer to manager: nobody can write to that pipe any more, and everything was read. text: what came last."""

    key: str
    text: str = ""


@dataclass(frozen=True)
class Full(LogMessage):
    """Writer to manager: the file of this outlet is as long as it may be, or syslog is gone. Told once for each."""

    key: str


@dataclass(frozen=True)
class Flush(LogMessage):
    """Manager to writer: answer with Flushed when everything that is in the pipes now was written."""

    number: int


@dataclass(frozen=True)
class Flushed(LogMessage):
    """Writer to manager."""

    number: int


@dataclass(frozen=True)
class LastWords(LogMessage):
    """Manager to writer: answer with Words, after having read what is in the pipe."""

    key: str


@dataclass(frozen=True)
class Words(LogMessage):
    """Writer to manager: what came last from a source, as text: raw lines as they came, records as in the log."""

    key: str
    text: str


@dataclass(frozen=True)
class LogPing(LogMessage):
    """Manager to writer: answer with a LogPong of this number, whatever disks do."""

    number: int


@dataclass(frozen=True)
class LogPong(LogMessage):
    """Writer to manager."""

    number: int


@dataclass(frozen=True)
class LogListen(LogMessage):
    """Manager to writer, fds [bound socket]: listen there from now on, since the file of the former one is lost."""


@dataclass(frozen=True)
class EndWriting(LogMessage):
    """Manager to writer: write what you have, and exit."""

    drain: bool = True  # read what is in the pipes first; else another writer goes on with them


MESSAGES: Dict[str, Type[LogMessage]] = {
    "log-hello": LogHello,
    "outlet": LogOutlet,
    "source": LogSource,
    "kept-source": KeptSource,
    "sources-ended": SourcesEnded,
    "source-over": SourceOver,
    "full": Full,
    "flush": Flush,
    "flushed": Flushed,
    "last-words": LastWords,
    "words": Words,
    "log-ping": LogPing,
    "log-pong": LogPong,
    "log-listen": LogListen,
    "end": EndWriting,
}
_TYPE_OF = {kind: name for name, kind in MESSAGES.items()}
_PLAIN: Dict[str, Any] = {"int": int, "str": str, "bool": bool}


def decode(body: Dict[str, Any]) -> LogMessage:
    """Turn a frame's body into its message; unknown keys are ignored. Raises ValueError."""
    kind = MESSAGES.get(body["type"])
    if kind is None:
        raise ValueError("unknown message type %r" % (body["type"],))
    values = {}
    for item in fields(kind):
        if item.name in body:
            value = body[item.name]
            if type(value) is not _PLAIN[str(item.type)]:
                raise ValueError("%s.%s is %s" % (body["type"], item.name, type(value).__name__))
            values[item.name] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError("%s: %s" % (body["type"], error)) from None
