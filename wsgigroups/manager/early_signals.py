"""Signals that come while a manager is on its way up: noted, and followed once it can follow them.

Imports next to nothing: it is in place before all that takes time, and without it a SIGTERM in the first second would
end the process wherever it is. Runs in the manager's only thread.
"""

from __future__ import annotations

import signal

# SIGTERM, SIGINT and SIGHUP are followed later; the others would have been for a manager that is up
HELD = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
_noted: list[int] = []


def is_manager(arguments: list[str]) -> bool:
    """Whether these arguments of the command line are those of `run`."""
    with_value = ("--run-dir", "--state-dir", "--log-dir", "--color")
    rest = iter(arguments)
    for argument in rest:
        if argument in with_value:
            next(rest, None)
        elif not argument.startswith("-"):
            return argument == "run"
    return False


def hold() -> None:
    """Note signals from now on; those that whoever started this process had blocked for it are let through."""
    for number in HELD:
        signal.signal(number, _note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def block() -> None:
    """Let these signals wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def block_all() -> None:
    """Let no signal disturb the last moments: what was asked for is done."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def unblock() -> None:
    """Let signals come again: the moments were not the last."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def asked_to_end() -> bool:
    """Whether SIGTERM or SIGINT came."""
    return signal.SIGTERM in _noted or signal.SIGINT in _noted


def asked_to_reload() -> bool:
    """Whether SIGHUP came."""
    return signal.SIGHUP in _noted


def _note(number: int, _frame: object) -> None:
    _noted.append(number)
