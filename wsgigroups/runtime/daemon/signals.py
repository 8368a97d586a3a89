"""Signals that a daemon leaves to its application: without a handler of the application's they do nothing.

Set before anything of an application is read; an import may replace them.
"""

from __future__ import annotations

from typing import Any

from ..originals import signal

IGNORED = (signal.SIGHUP, signal.SIGUSR2)  # mod_wsgi 6 passes these on to the application, too


def ignore_again() -> None:
    """Have them do nothing in a process that a mold has forked, unless the application has handlers for them."""
    for number in IGNORED:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, ignore)


def ignore(_number: int, _frame: Any) -> None:
    """Do nothing. A handler and not SIG_IGN, which programs that the application starts would inherit (execve(2))."""
