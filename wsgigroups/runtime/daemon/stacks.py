"""Where every thread is, as text. Needs the GIL; what does without it is faulthandler, on a signal."""

from __future__ import annotations

import sys
import threading
from typing import Dict, Optional, Sequence

from .. import threads, tracebacks
from ..originals import get_ident


def other_stacks(first: Sequence[int] = ()) -> str:
    """Return the stacks of all threads but this one, as a traceback has them: the innermost call last.

    first: idents of the threads to begin with, since a long text is cut.
    """
    known = _names()
    own = get_ident()
    places = {ident: place for place, ident in enumerate(first)}
    return "\n".join(
        "Thread %s (most recent call last):\n%s" % (known.get(ident, ident), tracebacks.of_stack(frame))
        for ident, frame in sorted(
            sys._current_frames().items(), key=lambda item: (places.get(item[0], len(places)), item[0])
        )
        if ident != own
    )


def stack_of(ident: int) -> str:
    """Return the stack of a thread, the innermost call last; "" if there is none."""
    frame = sys._current_frames().get(ident)
    return tracebacks.of_stack(frame) if frame is not None else ""


def _names() -> Dict[Optional[int], str]:
    """Names by ident; of the application's threads only where `threading` knows those of the system."""
    known: Dict[Optional[int], str] = {}
    if not threads.patched():
        known.update((thread.ident, thread.name) for thread in threading.enumerate())
    known.update(threads.names.copy().items())
    return known
