"""The stack of signal handlers: all signals in one moment fit on it."""

from __future__ import annotations

import subprocess
import sys

ALL_AT_ONCE = """
import faulthandler, signal
from wsgigroups.runtime import signal_stack
faulthandler.enable()
assert signal_stack.make_room()
came = set()
numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT}
numbers -= {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
for number in numbers:
    signal.signal(number, lambda number, _frame: came.add(number))
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
for number in numbers:
    signal.raise_signal(number)
signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)  # each comes in the handler of the one before
print(sorted(numbers - came))
"""


def test_all_signals_come_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", ALL_AT_ONCE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
