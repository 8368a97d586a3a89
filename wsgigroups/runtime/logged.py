"""The level of what the standard library's `logging` writes to a stream: a warning is no error because stderr has it.

`logging.StreamHandler.emit` writes the text of a record, and the record is a variable of that call: it is looked up in
the frame of whoever writes. What has replaced that method, or writes by another way, has no level.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Optional

_LEVELS = ((40, "error"), (30, "warning"), (20, "info"))  # numbers of `logging`, by the least


def level_of(number: int) -> str:
    """Return the log's word for a level of `logging`."""
    return next((word for least, word in _LEVELS if number >= least), "debug")


def level_of_caller(frame: Optional[FrameType]) -> Optional[str]:
    """Return the level of the record that this call writes; None: it is none of `logging`."""
    logging = sys.modules.get("logging")
    if logging is None or frame is None:
        return None
    emit = getattr(getattr(logging, "StreamHandler", None), "emit", None)
    if frame.f_code is not getattr(emit, "__code__", None):
        return None
    number = getattr(frame.f_locals.get("record"), "levelno", None)
    return level_of(number) if isinstance(number, int) else None
