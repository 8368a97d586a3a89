"""The board: a sealed memory page on which one daemon publishes its state as 64-bit words.

The manager creates it (memfd_create(2), sealed against shrinking and growing), the daemon maps it and writes words,
the manager reads with pread(2) and never maps it. A tenant can lie on its own board and nowhere else, so everything
read is an untrusted integer. One writer per word; counters may be torn across words, never within one (aligned
8-byte stores). What each word says is in words.py; busy words are CLOCK_MONOTONIC nanoseconds. Behind the words there
is a note for each request thread, what it was asked last, for whoever finds the process dead (notes.py).
"""

from __future__ import annotations

import fcntl
import mmap
import struct
import sys
from typing import Dict, Tuple

from ..originals import os
from . import notes
from .words import INDEX

MAGIC = int.from_bytes(b"WSGIGRPS", "little")
ABI = 1

WORD = INDEX  # of each word on the board, by its name; one word, one writer (words.py)
BUSY_WORD = 64  # first busy word; word BUSY_WORD + i is 0 or when request thread i began its request
MAXIMUM_THREADS = 1024

STATE = {"starting": 0, "ready": 1, "draining": 2, "stopping": 3}
LISTENING = {"not said": 0, "yes": 1, "no": 2}
REASON = {
    "none": 0,
    "maximum-requests": 1,
    "cpu-time-limit": 2,
    "memory-limit": 3,
    "signal": 4,
    "request-timeout": 5,
    "script-reloading": 6,
    "orphaned": 7,  # neither manager nor spawner holds the channel any more
    "listeners-shut": 8,  # no listener takes connections any more
    "terminated": 9,  # SIGTERM or SIGINT, of which the manager decides what follows
}
REASON_NAME = {value: name for name, value in REASON.items()}


def size_bytes(threads: int) -> int:
    """Bytes of the words of a board for this many request threads, rounded up to pages."""
    return -(-(BUSY_WORD + threads) * 8 // 4096) * 4096


def create(threads: int, name: str) -> int:
    """Make a sealed board and return its descriptor (close-on-exec). Raises OSError."""
    size = size_bytes(threads) + notes.size_bytes(threads)
    return create_sealed(name, size, struct.pack("<QQQ", MAGIC, ABI, threads))


def create_sealed(name: str, size: int, beginning: bytes) -> int:
    """Make memory of `size` bytes that nobody can grow or shrink; its descriptor (close-on-exec). Raises OSError."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        os.pwrite(fd, beginning, 0)
        # F_ADD_SEALS 1033; F_SEAL_SEAL 1 | F_SEAL_SHRINK 2 | F_SEAL_GROW 4 (fcntl(2)); named in fcntl only from 3.10
        fcntl.fcntl(fd, 1033, 1 | 2 | 4)
    except BaseException:
        os.close(fd)
        raise
    return fd


def create_sealed_text(name: str, text: bytes) -> int:
    """Make memory that holds this and that nobody can change; its descriptor (close-on-exec). Raises OSError."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(fd, rest) :]
        fcntl.fcntl(fd, 1033, 1 | 2 | 4 | 8)  # and F_SEAL_WRITE 8
    except BaseException:
        os.close(fd)
        raise
    return fd


class Board:
    """The daemon's side: `words[WORD["…"]] = value` publishes. Indexing costs well under a microsecond."""

    def __init__(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self._map = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.words = memoryview(self._map).cast("Q")
        if self.words[WORD["magic"]] != MAGIC or self.words[WORD["abi"]] != ABI:
            raise ValueError("the board has another layout")
        self.threads = min(self.words[WORD["threads"]], MAXIMUM_THREADS)
        self._bytes = memoryview(self._map)
        begin = size_bytes(self.threads)
        # one of a manager that did not read notes has no room for them
        roomy = size >= begin + notes.size_bytes(self.threads)
        self.notes = self._bytes[begin:] if roomy else memoryview(bytearray(notes.size_bytes(self.threads)))

    def close(self) -> None:
        """Unmap; only tests need it, a daemon's board lives as long as the daemon."""
        self.words.release()
        self.notes.release()
        self._bytes.release()
        self._map.close()


def private(threads: int) -> Board:
    """Make a board nobody else reads: for tests and for a server that runs without a manager."""
    fd = create(threads, "wsgigroups-board")
    try:
        return Board(fd)
    finally:
        os.close(fd)


class Snapshot:
    """The manager's side: one consistent-enough copy of a board, every value an untrusted integer."""

    def __init__(self, values: Dict[str, int], busy: Dict[int, int]) -> None:
        """busy: by request thread, the busy words that are not 0."""
        self.values = values
        self.busy = busy

    def __getitem__(self, name: str) -> int:
        return self.values[name]


def nothing() -> Snapshot:
    """Return what is known of a process whose board cannot be believed."""
    return Snapshot(dict.fromkeys(WORD, 0), {})


def word(fd: int, name: str) -> int:
    """Copy one word of a board with pread, whatever the board is by now. Raises OSError."""
    return int.from_bytes(os.pread(fd, 8, WORD[name] * 8), sys.byteorder)


def part(fd: int, first: int, count: int) -> Tuple[int, ...]:
    """Copy words of a board that stand in a row, whatever the board is by now; () for one that is shorter, or gone."""
    try:
        raw = os.pread(fd, 8 * count, 8 * first)
    except OSError:
        return ()
    return tuple(memoryview(raw).cast("Q")) if len(raw) == 8 * count else ()


def read(fd: int, threads: int) -> Snapshot:
    """Copy the board with pread. Raises ValueError when it is not a board of ours, OSError."""
    size = (BUSY_WORD + threads) * 8  # the pages are longer: a copy of what nobody wrote is most of what one costs
    raw = os.pread(fd, size, 0)
    if len(raw) != size:
        raise ValueError("the board is %d bytes long" % len(raw))
    words = memoryview(raw).cast("Q")
    if words[0] != MAGIC or words[1] != ABI:
        raise ValueError("the board was overwritten")
    values = dict(zip(WORD, words[: len(WORD)].tolist()))  # they stand in a row, from the first word on
    return Snapshot(values, {index: word for index, word in enumerate(words[BUSY_WORD : BUSY_WORD + threads]) if word})
