"""Where every thread is, as text. Needs the GIL; what does without it is faulthandler, on a signal."""

from __future__ import annotations

import sys
import threading
import traceback


def other_stacks() -> str:
    """Return the stacks of all threads but this one, as a traceback has them: the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    found = []
    for ident, frame in sorted(sys._current_frames().items()):
        if ident != own:
            lines = "".join(traceback.format_stack(frame))
            found.append("Thread %s (most recent call last):\n%s" % (names.get(ident, ident), lines))
    return "\n".join(found)


def stack_of_main() -> str:
    """Return the stack of the main thread, the innermost call last."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return "".join(traceback.format_stack(frame)) if frame is not None else ""
