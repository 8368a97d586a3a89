"""The board: a sealed memory page on which one daemon publishes its state as 64-bit words.

The manager creates it (memfd_create(2), sealed against shrinking and growing), the daemon maps it and writes words,
the manager reads with pread(2) and never maps it. A tenant can lie on its own board and nowhere else, so everything
read is an untrusted integer. One writer per word; counters may be torn across words, never within one (aligned
8-byte stores). Heartbeat and busy words are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from typing import Dict

MAGIC = int.from_bytes(b"WSGIGRPS", "little")
ABI = 1

# Index of each word. One word, one writer: the thread named in the comment.
WORD: Dict[str, int] = {
    "magic": 0,
    "abi": 1,
    "threads": 2,  # how many busy words follow
    "state": 3,  # one of STATE; main thread
    "reason": 4,  # one of REASON: why the daemon is leaving by itself; main thread, before the exit
    "heartbeat_ns": 5,  # monitor thread, about once a second, needs the GIL
    "requests_total": 6,  # requests that reached the application and ended
    "status_1xx": 7,
    "status_2xx": 8,
    "status_3xx": 9,
    "status_4xx": 10,
    "status_5xx": 11,
    "received_bytes": 12,
    "sent_bytes": 13,
    "queue_time_ns": 14,  # sum over requests: head complete to application called
    "application_time_ns": 15,  # sum over requests: application called to response complete
    "requests_active": 16,  # in the application now
    "requests_queued": 17,  # complete heads waiting for a request thread now
    "connections": 18,  # accepted and open now
    "queue_timeouts": 19,  # requests answered 504 because of queue-timeout
    "refused": 20,  # requests or connections answered 503: no place in the queue within connect-timeout
    "last_activity_ns": 21,  # a request began or ended
    "started_total": 22,  # requests handed to the application
    "aborted": 23,  # connections ended before their response was complete
    "loading_since_ns": 24,  # when the oldest load that goes on began in a request thread (load = "lazy"), else 0
}
BUSY_WORD = 64  # first busy word; word BUSY_WORD + i is 0 or when request thread i began its request
MAXIMUM_THREADS = 1024

STATE = {"starting": 0, "ready": 1, "draining": 2, "stopping": 3}
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
}
REASON_NAME = {value: name for name, value in REASON.items()}


def size_bytes(threads: int) -> int:
    """Bytes of a board for this many request threads, rounded up to pages."""
    return -(-(BUSY_WORD + threads) * 8 // 4096) * 4096


def create(threads: int, name: str) -> int:
    """Make a sealed board and return its descriptor (close-on-exec). Raises OSError."""
    return create_sealed(name, size_bytes(threads), struct.pack("<QQQ", MAGIC, ABI, threads))


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


class Board:
    """The daemon's side: `words[WORD["…"]] = value` publishes. Indexing costs well under a microsecond."""

    def __init__(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        self._map = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.words = memoryview(self._map).cast("Q")
        if self.words[WORD["magic"]] != MAGIC or self.words[WORD["abi"]] != ABI:
            raise ValueError("the board has another layout")
        self.threads = min(self.words[WORD["threads"]], MAXIMUM_THREADS)

    def close(self) -> None:
        """Unmap; only tests need it, a daemon's board lives as long as the daemon."""
        self.words.release()
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


def read(fd: int, threads: int) -> Snapshot:
    """Copy the board with pread. Raises ValueError when it is not a board of ours, OSError."""
    raw = os.pread(fd, size_bytes(threads), 0)
    if len(raw) != size_bytes(threads):
        raise ValueError("the board is %d bytes long" % len(raw))
    words = memoryview(raw).cast("Q")
    if words[0] != MAGIC or words[1] != ABI:
        raise ValueError("the board was overwritten")
    values = {name: words[index] for name, index in WORD.items()}
    return Snapshot(values, {index: word for index, word in enumerate(words[BUSY_WORD : BUSY_WORD + threads]) if word})
