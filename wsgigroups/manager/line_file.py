"""A file of lines with a cap: one is written at once and whole, and when it is full the next file begins.

Runs in the manager's only thread. What cannot be stored is counted and told, and stops nothing.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(slots=True)
class LineFile:
    """One file, and those before it as NAME.1, NAME.2 … what: of which its lines are, in messages."""

    path: Path
    what: str
    log: Callable[[str, str], None]
    maximum_bytes: int
    older: int = 1  # files that are kept besides
    _size_bytes: int = 0
    _fd: int = -1
    _torn: bool = False  # whether the file ends within a line
    _lost: int = 0

    def open(self) -> None:
        """Open the file. Raises nothing: what cannot be opened is tried again with the next line."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            self._fd = os.open(self.path, flags, 0o600)
            self._size_bytes = os.fstat(self._fd).st_size
            self._torn = self._size_bytes > 0 and os.pread(self._fd, 1, self._size_bytes - 1) != b"\n"

    def write(self, data: bytes, lines: int) -> None:
        """Append so many whole lines."""
        try:
            if self._fd != -1 and (self._size_bytes >= self.maximum_bytes or os.fstat(self._fd).st_nlink == 0):
                self._begin_another()
            if self._fd == -1:
                self.open()
            if self._torn:
                data = b"\n" + data
            written = os.write(self._fd, data)
            self._size_bytes += written
            self._torn = written != len(data)
            complete = not self._torn
        except OSError:
            complete = False
        if complete:
            if self._lost:
                self.log("warning", f"{self._lost} {self.what} are not stored; from now on they can be again")
            self._lost = 0
        else:
            if not self._lost:
                self.log("warning", f"cannot store {self.what} in {self.path}; what runs is not concerned")
            self._lost += lines

    def close(self) -> None:
        """Close the file."""
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1

    def _begin_another(self) -> None:
        self.close()
        for number in range(self.older, 0, -1):
            before = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            with contextlib.suppress(FileNotFoundError):
                os.replace(before, self.path.with_name(f"{self.path.name}.{number}"))
