"""What every server with a front does about new connections, from the first to the last: a daemon's and a gateway's.

Any thread may call it, but where a method says otherwise.
"""

from __future__ import annotations

from typing import Optional

from ..originals import time
from ..wire.board import LISTENING, WORD
from .listening import Listening
from .poller import Poller
from .timing import DRAIN_IDLE_NS, SECOND_NS

_LOOK_S = 0.02  # how often `wait_idle` looks; only ever called on the way out


class Accepting:
    """A server, as far as its poller and its listeners are concerned."""

    def __init__(self, poller: Poller, listening: Listening, words: memoryview) -> None:
        self.poller = poller
        self.listening = listening
        self._words = words

    @property
    def busy(self) -> bool:
        """Whether requests are active or queued."""
        raise NotImplementedError

    def begin_accepting(self) -> None:
        """Have every listener watched from now on, and say so on the board. Before the poller's thread runs."""
        self._words[WORD["listening"]] = LISTENING["yes"]
        self.listening.adjust(False)

    def make_way(self) -> None:
        """Leave new connections to the successor from now on, where there is a choice. Main thread only."""
        self.listening.leaving = True
        self.poller.wake()

    def part(self, wanted: bool) -> None:
        """Have each answer say `Connection: close`, while connections are accepted as before; or no more.

        Main thread only.
        """
        self.poller.connections.part(wanted)

    def stop_accepting(self, idle_s: Optional[float] = DRAIN_IDLE_NS / SECOND_NS, closes: bool = False) -> None:
        """Leave new connections to siblings; answer what is here with `Connection: close`; wait for the idle ones.

        idle_s: for so long at most, None: until the end of keep-alive-timeout. closes: nobody is there who could have
        new ones, so what waits is taken, and the listeners listen no more.
        """
        self.poller.stop(idle_s, closes)

    def is_idle(self) -> bool:
        """Whether no request is active or queued; after `stop_accepting`, also whether every connection is closed."""
        if self.busy:
            return False
        connections = self.poller.connections
        return not connections.stopping or (self.listening.stopped and not connections.open)

    def wait_idle(self, timeout_s: Optional[float]) -> bool:
        """Wait until `is_idle`, at most `timeout_s`; returns it."""
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.is_idle():
            if until_s is not None and time.monotonic() >= until_s:
                return False
            time.sleep(_LOOK_S)
        return True

    def cut_off(self) -> None:
        """End what takes too long: it ends with this process, which has nobody else's to end."""
