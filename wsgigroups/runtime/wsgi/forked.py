"""The end of a process that the application has forked, and that has come back out of the application.

Its request is answered by the process it was forked from. It has no sockets, and must neither count nor log a request,
nor close what the application has returned: both processes have that.
"""

from __future__ import annotations

import contextlib
import sys
from typing import NoReturn, Optional

from ..originals import os


def leave(error: Optional[BaseException]) -> NoReturn:
    """End this process with the code of a SystemExit, as Python would, 1 for another error, else 0.

    Nothing but the standard streams is flushed: what lies in other buffers may be the other process's as well.
    """
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    elif error is not None:
        code = 1
        with contextlib.suppress(BaseException):  # whatever it is that its own class raises
            sys.__excepthook__(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)
