"""Since when a request has been loading an application (load = "lazy"), on the board: startup-timeout begins there.

Runs in request threads, several at once when a group has several applications.
"""

from __future__ import annotations

from types import TracebackType
from typing import List, Optional, Type

from ..originals import Lock, local, time
from ..wire.board import WORD, Board

_WORD = WORD["loading_since_ns"]


class Loading:
    """A context around each load; the board has the start of the oldest that goes on, 0 while none does."""

    def __init__(self, board: Optional[Board] = None) -> None:
        self._words = None if board is None else board.words
        self._lock = Lock()
        self._local = local()
        self._starts: List[int] = []

    def __enter__(self) -> None:
        self._local.start_ns = time.monotonic_ns()
        with self._lock:
            self._starts.append(self._local.start_ns)
            self._publish()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        with self._lock:
            self._starts.remove(self._local.start_ns)
            self._publish()

    def _publish(self) -> None:
        if self._words is not None:
            self._words[_WORD] = min(self._starts) if self._starts else 0
