"""One client connection: what is known of it between two events.

Owned by exactly one thread at a time: by the leader, or, while `owned` is true, by the request thread that answers.
Only the owner touches its fields, with one exception: the leader adds to `signalled` under the poller's lock when an
event arrives for a connection that a request thread owns; that thread looks at it under the same lock before it gives
the connection back.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from ..originals import socket
from ..protocol.chunked import ChunkedDecoder
from ..protocol.heads import Head
from ..protocol.names import Keys
from ..protocol.scanner import Scanner
from .output import Output

# What a connection is doing, seen from the poller. POSTED: its answer is in the outbox.
IDLE, POSTED, HEAD, BODY, QUEUED, RUNNING, FLUSHING, LINGERING, CLOSED = range(9)
_NAMES = ("idle", "posted", "head", "body", "queued", "running", "flushing", "lingering", "closed")

# From each state, the states that may come next.
TABLE: Tuple[Tuple[int, ...], ...] = (
    (RUNNING, HEAD, BODY, LINGERING, CLOSED),  # idle: a request comes, whole or in part, or is refused
    (IDLE, FLUSHING, CLOSED),  # posted: sent, in part
    (RUNNING, BODY, LINGERING, CLOSED),  # head
    (RUNNING, LINGERING, CLOSED),  # body
    (RUNNING, LINGERING, CLOSED),  # queued: called, or refused because it has waited too long
    (POSTED, IDLE, QUEUED, FLUSHING, LINGERING, CLOSED),  # running, or about to: whoever owns it decides
    (IDLE, LINGERING, CLOSED),  # flushing: the rest of its answer has left
    (CLOSED,),  # lingering
    (),  # closed
)


RECEIVE_BYTES = 16384  # a head and a short body in one call; longer bodies have a larger buffer of their own


class ImpossibleMoveError(Exception):
    """An error of ours: the connection is not in a state that the other one may follow."""


NOT_QUEUED = (0, 0)


class Connection:
    """A socket, the bytes received and not yet understood, and the request they make."""

    __slots__ = (
        "answer",
        "arrived_ns",
        "base",
        "begun",
        "begun_ns",
        "body",
        "data",
        "deadline_ns",
        "decoder",
        "empty_lines",
        "fd",
        "gone",
        "head",
        "incomplete",
        "is_uwsgi",
        "keep",
        "keys",
        "more",
        "offered_ns",
        "output",
        "owned",
        "peer",
        "queued",
        "received_bytes",
        "scanner",
        "signalled",
        "since_ns",
        "slow",
        "sock",
        "state",
        "trusted",
        "unix",
        "watched",
    )

    def __init__(self, sock: socket.socket, base: Dict[str, Any], keys: Keys, peer: str, unix: bool) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.base = base  # the environ's constant part
        self.keys = keys
        self.trusted = keys.trusted
        self.peer = peer  # for log lines
        self.unix = unix
        self.incomplete = unix or keys.trusted  # its environs need more than heads and `base` say
        self.watched = False  # registered with epoll
        self.state = IDLE
        self.owned = False
        self.signalled = 0  # events that arrived while a request thread owned it
        self.data = b""  # received, not yet parsed
        self.more = False  # the last read may not have emptied the socket (it is watched edge-triggered)
        self.gone = False  # the peer has closed its sending side
        self.scanner: Optional[Scanner] = None  # of an unfinished head
        self.empty_lines = 0
        self.is_uwsgi = False
        self.head: Optional[Head] = None  # of the request being received or answered
        self.body = b""  # of that request, as far as the poller has received it
        self.decoder: Optional[ChunkedDecoder] = None
        self.received_bytes = 0  # of that request's body, for the minimum rate
        self.since_ns = 0  # when that body began
        self.begun_ns = 0  # when it was accepted; later, when an unfinished head began
        self.arrived_ns = 0  # when that request began to wait for a thread
        self.queued = NOT_QUEUED  # the start of the last call that waited for a thread, and for how long
        self.offered_ns = 0  # when it was put into the queue
        self.deadline_ns = 0  # when the poller must do something about it; 0: never
        self.output: Optional[Output] = None  # bytes that the socket has not taken yet
        self.slow = False  # its request is called as one that waits long: see lanes.Lanes
        self.keep = False  # another request may follow the answer being sent
        self.answer = b""  # whole, for the leader to send together with others
        self.begun = False  # whether there has been a whole head

    def is_to_our_gateway(self, head: Head) -> bool:
        """Whether it is a gateway of ours that asks: no request follows, and it wants HTTP/1.1 (protocol.uwsgi)."""
        return self.is_uwsgi and head.is_http_1_1

    def to(self, state: int) -> None:
        """Enter another state; nothing else changes it. Raises ImpossibleMoveError."""
        if state not in TABLE[self.state]:
            raise ImpossibleMoveError("a connection that is %s cannot be %s" % (_NAMES[self.state], _NAMES[state]))
        self.state = state
