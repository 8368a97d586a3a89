"""The requests that were in the application of a process, read from its board, whether it lives or not.

Used by the manager and, for processes that end while there is none, by the spawner. All of it is a tenant's word.
"""

from __future__ import annotations

from typing import Any, Dict, List

from ..originals import os, time
from .board import MAXIMUM_THREADS, read, size_bytes
from .notes import NOTE_BYTES, note_of

MOST = 16  # that are told of a process when it ends, those under way for longest; the others are counted
_LONGEST_S = 1e9


def in_flight(board_fd: int, threads: int, most: int = MOST) -> Dict[str, Any]:
    """Return {"total": n, "requests": [{"thread", "ident", "asked", "age_s", "where"} …]}, the oldest first.

    At most so many of them. thread: number of the request thread; ident: that of the thread, as faulthandler writes
    it; where: [end of a file's name, line, function], or []. Raises nothing: of a board that was overwritten there is
    none.
    """
    threads = max(0, min(threads, MAXIMUM_THREADS))
    try:
        busy = read(board_fd, threads).busy
        now_ns = time.monotonic_ns()
        found: List[Dict[str, Any]] = []
        for thread, since_ns in sorted(busy.items(), key=lambda item: item[1])[:most]:
            raw = os.pread(board_fd, NOTE_BYTES, size_bytes(threads) + thread * NOTE_BYTES)
            note = note_of(raw.ljust(NOTE_BYTES, b"\0"))
            age_s = min(max(0, now_ns - since_ns) / 1e9, _LONGEST_S)
            where = list(note.where) if note.where is not None and note.where_since_ns == since_ns else []
            known = {"thread": thread, "ident": note.ident, "asked": note.asked, "where": where}
            found.append(dict(known, age_s=round(age_s, 3)))
    except (OSError, ValueError):
        return {"total": 0, "requests": []}
    return {"total": len(busy), "requests": found}
