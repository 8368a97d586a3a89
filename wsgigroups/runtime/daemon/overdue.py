"""Where a start stands that takes longer than startup-timeout: told before the process is killed for it.

The signal's handler is faulthandler's, which writes all stacks to the log without the GIL, and then Python's, which
runs in the main thread as soon as that executes code again or waits for a lock, for time or for a file. It reports
where the main thread is. A process that hangs in C says no more than the log has.
"""

from __future__ import annotations

import faulthandler
import traceback
from contextlib import contextmanager
from types import FrameType
from typing import Iterator, Optional

from ..originals import signal
from ..wire import messages
from .failure import without_ours
from .reporter import Reporter
from .stacks import other_stacks

# All stacks to the log, written by C without the GIL: for a process that is given up, since to walk over the stacks of
# threads that go on meanwhile can crash it.
STACKS_SIGNAL = signal.SIGQUIT
_TOLD = 32768  # characters; the end of the stack of main says most


@contextmanager
def tells_where(reporter: Reporter, life: int) -> Iterator[None]:
    """Have the signal tell while the block runs; after it, write to the log alone."""

    def tell(_number: int, frame: Optional[FrameType]) -> None:
        stack = "".join(traceback.format_list(without_ours(traceback.extract_stack(frame))))
        text = "Thread MainThread (most recent call last):\n%s" % stack[-_TOLD:]
        reporter.send(messages.InFlight(life, "", text + ("\n" + other_stacks()).rstrip()[:_TOLD]))

    signal.signal(STACKS_SIGNAL, tell)
    faulthandler.register(STACKS_SIGNAL, file=2, all_threads=True, chain=True)
    yield
    if signal.getsignal(STACKS_SIGNAL) is not tell:
        return  # the application has taken the signal for itself
    faulthandler.unregister(STACKS_SIGNAL)
    signal.signal(STACKS_SIGNAL, signal.SIG_DFL)
    faulthandler.register(STACKS_SIGNAL, file=2, all_threads=True, chain=False)
