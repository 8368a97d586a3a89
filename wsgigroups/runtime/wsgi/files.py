"""wsgi.file_wrapper: an iterable over a file that the server can recognise, and send without reading it.

PEP 3333, "Optional Platform-Specific File Handling". Used in request threads.
"""

from __future__ import annotations

import io
import stat
from typing import Any, Iterator, Optional, Tuple

from ..originals import os

_UNBACKED_BYTES = 4096  # up to this size a file that occupies no blocks may be a kernel's, whose size says nothing


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
        """Return (descriptor, offset, length) of what is left of a regular file; None: read it as any iterable.

        Only where `read` would give the very bytes behind the descriptor. That a thing has a descriptor says nothing:
        gzip's reader has that of the compressed file.
        """
        file = self.filelike
        if type(file).__module__ == "tempfile":
            file = getattr(file, "file", file)  # NamedTemporaryFile adds the deletion, nothing else
        raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
        if type(raw) is not io.FileIO:
            return None
        try:
            if not raw.readable():
                return None  # reading raises what the application has to know
            if type(file) is io.BufferedRandom:
                file.flush()
            found = os.fstat(raw.fileno())
            offset = file.tell()
        except (OSError, ValueError):  # closed, or cannot seek
            return None
        size = found.st_size
        if not stat.S_ISREG(found.st_mode) or not size or (not found.st_blocks and size <= _UNBACKED_BYTES):
            return None  # files of /proc have no size, those of /sys one page
        return raw.fileno(), offset, max(0, size - offset)
