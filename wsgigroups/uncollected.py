"""Keeping the collector of cycles out of what has to be quick.

A manager of a thousand groups has a million objects, nearly all of them for long; a look at all of them takes a tenth
of a second, and what a plan or an apply makes brings it about once or twice. It comes afterwards. A command that reads
a large file makes nothing but objects that last.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_inside = 0


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no cycles meanwhile. Any thread; of several that are inside the last one that leaves ends it."""
    global _inside  # noqa: PLW0603 - there is one collector
    with _lock:
        _inside += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.enable()
