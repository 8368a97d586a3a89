"""Since when a request has wanted an application that is not loaded (load = "lazy"), on the board: for startup-timeout.

Runs in request threads, several at once when a group has several applications. A load that fails does not end the time:
the next request tries again, and what has not succeeded by startup-timeout costs the process, as a load that hangs.
"""

from __future__ import annotations

import contextlib
from typing import Dict, Iterator, Optional

from ..originals import Lock, time
from ..wire.board import WORD, Board

_WORD = WORD["loading_since_ns"]


class Loading:
    """The board has the first attempt at the application that has been wanted for longest, 0 while none is wanted."""

    def __init__(self, board: Optional[Board] = None) -> None:
        self.publish_on(board)
        self._lock = Lock()
        self._since_ns: Dict[object, int] = {}

    def publish_on(self, board: Optional[Board]) -> None:
        """Tell it there from now on; None: nowhere."""
        self._words = None if board is None else board.words

    @contextlib.contextmanager
    def of(self, application: object, *forgiven: type) -> Iterator[None]:
        """A context around each attempt at one application. forgiven: errors that do not mean that it failed."""
        with self._lock:
            self._since_ns.setdefault(application, time.monotonic_ns())
            self._publish()
        failed = False
        try:
            yield
        except BaseException as error:
            failed = not isinstance(error, forgiven)
            raise
        finally:
            if not failed:
                with self._lock:
                    self._since_ns.pop(application, None)
                    self._publish()

    def _publish(self) -> None:
        if self._words is not None:
            self._words[_WORD] = min(self._since_ns.values()) if self._since_ns else 0
