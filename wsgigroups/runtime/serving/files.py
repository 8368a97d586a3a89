"""wsgi.file_wrapper: an iterable over a file that the server can recognise, and send without reading it.

PEP 3333, "Optional Platform-Specific File Handling". Used in request threads.
"""

from __future__ import annotations

import os
import stat
from typing import Any, Iterator, Optional, Tuple


class FileWrapper:
    """`FileWrapper(file, block_size)`; closes the file when the response is over."""

    def __init__(self, filelike: Any, blksize: int = 65536) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        while True:
            block = self.filelike.read(self.blksize)
            if not block:
                return
            yield block

    def region(self) -> Optional[Tuple[int, int, int]]:
        """Return (descriptor, offset, length) of what is left of a regular file; None: read it as any iterable."""
        try:
            fd = self.filelike.fileno()
            found = os.fstat(fd)
            offset = self.filelike.tell()
        except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the latter
            return None
        if not isinstance(fd, int) or not isinstance(offset, int) or not stat.S_ISREG(found.st_mode):
            return None
        return fd, offset, max(0, found.st_size - offset)
