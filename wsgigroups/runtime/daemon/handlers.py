"""signal.signal in an application: as mod_wsgi has it, signals belong to the server.

A handler of an application's would take the place of one that the daemon leaves by, so its registration does nothing
and is said in the log, with its place; or it is an error; or it is allowed. Processes that the application forks may
have handlers in any case.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Set, Tuple

from ..log import Log
from ..originals import os, signal

_MOST_SAID = 256  # places; code may be made while it runs
_register = signal.signal
_owner = {"pid": 0}  # the process whose signals are the server's


def restrict(mode: str, log: Log) -> None:
    """Replace signal.signal for what is imported from now on. mode: an option's value (signals); "allow": leave it."""
    if mode == "allow":
        return
    vars(sys.modules["signal"])["signal"] = replacement(mode, log)


def own() -> None:
    """Have this process be the one whose signals are the server's: a daemon, also one that a mold has forked."""
    _owner["pid"] = os.getpid()


def replacement(mode: str, log: Log) -> Callable[[int, Any], Any]:
    """Return what stands for signal.signal in this process."""
    own()
    said: Set[Tuple[str, int]] = set()

    def restricted(signalnum: int, handler: Any) -> Any:
        """signal.signal, which is the server's in a process of wsgigroups: see its option `signals`."""
        if os.getpid() != _owner["pid"]:
            return _register(signalnum, handler)
        frame = sys._getframe(1)
        place = frame.f_code.co_filename, frame.f_lineno
        text = "signal.signal(%s) at %s, line %d, in %s" % (_name(signalnum), *place, frame.f_code.co_name)
        if mode == "raise":
            raise ValueError(text + ": signals belong to the server (option signals)")
        if place not in said and len(said) < _MOST_SAID:
            said.add(place)
            log("notice", text + " is ignored: signals belong to the server (option signals)")
        return handler

    restricted.__name__ = restricted.__qualname__ = "signal"
    return restricted


def _name(number: Any) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
