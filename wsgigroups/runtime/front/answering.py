"""Where a front and those who answer requests meet: what each asks of the other.

A front, this folder, brings complete requests and sees answers off. It knows nothing of threads, applications and logs.
"""

from __future__ import annotations

from typing import Iterator, List, Optional, Protocol, Set, Tuple

from ..originals import LockType
from ..protocol.forwarding import Trust
from ..protocol.heads import Head
from ..protocol.preparing import Preparer
from ..wire.spec import Serving
from .connection import Connection
from .dates import Dates


class Waits(Protocol):
    """The requests that wait to be answered, as far as a front is concerned. `len` is how many."""

    @property
    def next_expiry_ns(self) -> int:
        """None has waited too long before that; 0: none ever has."""

    @property
    def runnable(self) -> int:
        """How many of them wait for nothing but a thread."""

    def __len__(self) -> int: ...

    def expire(self, now_ns: int) -> List[Tuple[Connection, int, str]]:
        """Forget those that have waited too long; each connection with the status due to it, and the reason."""


class Answering(Protocol):
    """What a front asks of whoever answers. Asked by the leader; `refused` by any thread."""

    @property
    def waiting(self) -> Waits:
        """What has to wait."""

    def places(self) -> int:
        """How many more connections there are threads for; at least one."""

    def remaining(self) -> int:
        """How many more requests may begin at all; at least one."""

    def ended(self) -> int:
        """How many calls have ended that somebody else led beside, since whenever."""

    def refused(self, connection: Connection, status: int, size: int, body_size: int) -> None:
        """Count an answer of the server's own, of so many bytes, of which so many are its body."""


class Front(Protocol):
    """What whoever answers asks of a front, for a connection that it owns."""

    settings: Serving
    lock: LockType
    trust: Trust
    preparer: Preparer  # of the heads of answers
    dates: Dates
    keeps: bool  # whether an answer may leave its connection open
    ids: Optional[Iterator[str]]  # of requests that have none yet; None: they need none
    tells_ids: bool  # whether answers bring them
    surplus: int  # so many kept connections are to end with their next answers; whoever ends one counts down

    dropped: Set[Tuple[str, str]]  # applications and the fields of theirs of which was said that they are left out

    @property
    def write_timeout_s(self) -> float:
        """How long a write may make no progress; 0: for ever."""

    def log_request(self, head: Head, connection: Connection, level: str, text: str) -> None:
        """Log with what was asked, and by whom."""

    def watch_output(self, connection: Connection) -> None:
        """Have the leader send what is in the connection's output. Raises OSError when there is no leader any more."""

    def flushed_early(self, connection: Connection) -> None:
        """Take note that the owner has emptied the output."""

    def left_over(self, connection: Connection, keep: bool) -> bool:
        """Leave what is in the output to the leader; False if nothing is. keep: whether a request may follow."""

    def refuse(self, connection: Connection, status: int, reason: str) -> bool:
        """Answer in the server's own name, and end the connection."""

    def kept(self, connection: Connection, now_ns: int) -> None:
        """Wait for the next request, since the answer is complete."""

    def linger(self, connection: Connection) -> None:
        """End our side, and read on a little, so that the client can read what was sent."""

    def close(self, connection: Connection) -> None:
        """Close at once."""

    def abort(self, connection: Connection) -> None:
        """Close with a reset, so that nobody takes what was sent for a whole answer."""
