"""Stacks and errors as text, for the log. Any thread.

`traceback` reads source lines with what an application may have patched (open, os.stat): where that fails, the text has
places alone, since an error must not be lost because it cannot be shown well.
"""

from __future__ import annotations

import traceback
from types import FrameType, TracebackType
from typing import List, Optional


def of_error(error: BaseException) -> str:
    """Return the error as Python shows it, its traceback and causes before it."""
    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:  # noqa: BLE001 - its own __str__ may raise, too
        return "Traceback (most recent call last):\n%s%s\n" % (
            "".join(_places(error.__traceback__)),
            type(error).__name__,
        )


def of_stack(frame: FrameType) -> str:
    """Return the stack of a frame, the innermost call last."""
    try:
        return "".join(traceback.format_stack(frame))
    except Exception:  # noqa: BLE001 - as above
        found = []
        at: Optional[FrameType] = frame
        while at is not None:
            found.append(_place(at, at.f_lineno))
            at = at.f_back
        return "".join(reversed(found))


def _places(trace: Optional[TracebackType]) -> List[str]:
    found = []
    while trace is not None:
        found.append(_place(trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def _place(frame: FrameType, line: Optional[int]) -> str:
    return '  File "%s", line %s, in %s\n' % (frame.f_code.co_filename, line, frame.f_code.co_name)
