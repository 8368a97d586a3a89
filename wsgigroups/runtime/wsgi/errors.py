"""wsgi.errors: a text stream whose lines become records of the log.

One for all requests; used by any thread of the application. Text without a newline is kept per thread until one comes
or the request ends, so that lines of two requests do not mix.
"""

from __future__ import annotations

import threading
from typing import Callable, Dict, Iterable


class ErrorsStream:
    """PEP 3333, "Input and Error Streams": write, writelines, flush."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._log = log
        self.unfinished: Dict[int, str] = {}  # by thread; each thread has its own key

    def write(self, text: str) -> int:
        """Log each complete line. Raises TypeError for anything but str."""
        if not isinstance(text, str):
            raise TypeError("wsgi.errors takes str, not %s" % type(text).__name__)
        thread = threading.get_ident()
        lines, newline, rest = (self.unfinished.pop(thread, "") + text).rpartition("\n")
        if rest:
            self.unfinished[thread] = rest
        if newline:
            self._log("error", "wsgi.errors: " + lines)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each; they bring their own newlines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log what this thread has written without a newline."""
        rest = self.unfinished.pop(threading.get_ident(), "")
        if rest:
            self._log("error", "wsgi.errors: " + rest)
