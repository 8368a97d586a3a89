"""What the HTTP library says goes into the manager's own log, and no more of it than a log can take.

The library (aiohttp) writes a traceback for each request that is not HTTP, with what the client sent. Whoever reaches a
port could fill the log so, and such a request has its answer: nothing is told of it. The rest would be our mistake.
"""

from __future__ import annotations

import logging
import time
import traceback
from typing import TYPE_CHECKING

from aiohttp.http_exceptions import HttpProcessingError

from wsgigroups.runtime.text import clean, clean_lines
from wsgigroups.runtime.wire.rates import Bucket

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES, _LINES_PER_S = 5.0, 0.1


class _LibraryHandler(logging.Handler):
    def __init__(self, log: Callable[[str, str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = log
        self._bucket = Bucket(_LINES, _LINES_PER_S, time.monotonic())

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError) or not self._bucket.take(1, time.monotonic()):
            return
        trace = clean_lines("".join(traceback.format_exception(error))) if error else ""
        self._tell("error", f"[BUG] {clean(record.getMessage())}\n{trace}".rstrip())


def library_logger(log: Callable[[str, str], None]) -> logging.Logger:
    """Return a logger for a server of the library. log(level, text)."""
    made = logging.Logger("aiohttp.server", logging.WARNING)  # one of its own: no other handler hears of it
    made.addHandler(_LibraryHandler(log))
    return made
