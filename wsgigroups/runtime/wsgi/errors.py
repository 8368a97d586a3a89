"""wsgi.errors: a text stream whose lines become records of the log.

One for all requests; used by any thread of the application. Text without a newline is kept per thread until one comes
or the request ends, so that lines of two requests do not mix.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Callable, Dict, Iterable

from ..logged import level_of_caller
from ..originals import get_ident


class ErrorsStream:
    """PEP 3333, "Input and Error Streams": write, writelines, flush; and what else programs expect of sys.stderr."""

    name = "<wsgi.errors>"
    mode = "w"
    closed = False
    newlines = None
    line_buffering = True
    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._log = log
        self.unfinished: Dict[int, str] = {}  # by thread; each thread has its own key
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Log each complete line. Raises TypeError for anything but str."""
        if not isinstance(text, str):
            raise TypeError("wsgi.errors takes str, not %s" % type(text).__name__)
        thread = get_ident()
        lines, newline, rest = (self.unfinished.pop(thread, "") + text).rpartition("\n")
        if rest:
            self.unfinished[thread] = rest
        if newline:
            level = level_of_caller(sys._getframe(1))
            self._log(level or "error", lines if level else "wsgi.errors: " + lines)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each; they bring their own newlines."""
        for line in lines:
            self.write(line)

    def close(self) -> None:
        """Stay open: it is others' stream, too."""
        self.flush()

    def isatty(self) -> bool:
        """Return False: it is a log."""
        return False

    def readable(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False."""
        return False

    def fileno(self) -> int:
        """Raises OSError: its lines become records before they are written anywhere."""
        raise io.UnsupportedOperation("wsgi.errors has no descriptor of its own")

    def flush(self) -> None:
        """Log what this thread has written without a newline."""
        rest = self.unfinished.pop(get_ident(), "")
        if rest:
            self._log("error", "wsgi.errors: " + rest)


class _Bytes(io.BufferedIOBase):
    """`wsgi.errors.buffer`: takes bytes of UTF-8."""

    def __init__(self, stream: ErrorsStream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Log each complete line. Raises TypeError for what holds no bytes."""
        held = bytes(memoryview(data))
        self._stream.write(held.decode("utf-8", "backslashreplace"))
        return len(held)

    def flush(self) -> None:
        """As of the stream."""
        self._stream.flush()

    def close(self) -> None:
        """Stay open, as the stream does."""
        self._stream.flush()
