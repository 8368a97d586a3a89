"""Where in the application a request is that takes long: noted once a second, for whoever finds the process dead.

Runs in the monitor. What is killed from outside, as for want of memory, has no moment left in which it could tell.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Dict, Optional, Sequence

from ..wire.notes import ASKED_OFFSET, write_where
from .request_threads import RequestThread

LONG_NS = 1_000_000_000
_OURS = __file__.rpartition("/")[0].rpartition("/")[0] + "/"
_STANDARD = traceback.__file__.rpartition("/")[0] + "/"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_DEEP = 200  # calls that are looked at


def note_places(threads: Sequence[RequestThread], words: memoryview, notes: memoryview, now_ns: int) -> None:
    """Note where those of these threads are whose requests have been under way for long."""
    frames: Optional[Dict[int, FrameType]] = None
    try:
        for request_thread in threads:
            since_ns = words[request_thread.busy_word]
            thread = request_thread.thread
            if not since_ns or now_ns - since_ns < LONG_NS or thread is None:
                continue
            if frames is None:
                frames = sys._current_frames()
            frame = _own(frames.get(thread.ident))
            if frame is not None:
                code = frame.f_code
                offset = request_thread.note - ASKED_OFFSET
                write_where(notes, offset, since_ns, code.co_filename, frame.f_lineno or 0, code.co_name)
            del frame
    finally:
        if frames is not None:
            frames.clear()  # our own is in it, and would keep all of them


def _own(top: Optional[FrameType]) -> Optional[FrameType]:
    """Return the innermost call of the application, of one that is installed the innermost; None: there is none."""
    frame, innermost = top, None
    for _depth in range(_DEEP):
        if frame is None:
            break
        file = frame.f_code.co_filename
        if file.startswith(_OURS):
            if innermost is not None:
                break  # what is above it has called us
        elif any(part in file for part in _INSTALLED):
            innermost = innermost or frame
        elif not file.startswith((_STANDARD, "<frozen")):
            return frame
        frame = frame.f_back
    return innermost
