"""The end of a daemon's interpreter: as Python ends, but never beyond the deadline.

Runs in the main thread. Threads that are not daemon threads are joined, exit functions run, modules are taken down, and
so what lies in the buffers of files that an application left open is written. Any of it may hang, hence two guards: a
thread that says what was cut off, and behind it the C thread of faulthandler, which needs no GIL and outlives the one
that does.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import threading
import traceback
from typing import Callable, List, NoReturn, Optional

from ..log import Log
from ..originals import Lock, get_ident, os, time
from ..threads import ServerThread, patched
from .stacks import stack_of

_UNBOUNDED_S = 3600.0
_BEHIND_S = 0.25  # how long after the first guard the second one acts
_LEAST_S = 0.05


def end_interpreter(until_s: Optional[float], limit_s: float, log: Log) -> NoReturn:
    """End the process with code 0.

    until_s: CLOCK_MONOTONIC seconds, None for no limit; limit_s: shutdown-timeout, for what is said when it is over.
    Threads get half of what is left; those that still run then get as little as daemon threads do.
    """
    if until_s is not None:
        _guard(until_s, limit_s, log)
    left_s = _UNBOUNDED_S if until_s is None else max(until_s - time.monotonic(), 0.0)
    # Green threads can be joined in the thread they belong to alone, as Py_FinalizeEx does it.
    joiner = None if patched() else _started("wsgigroups-join", _join_threads)
    if patched() and not _has_others():
        threading._shutdown = int  # type: ignore[attr-defined]  # it may look for what was not there when it was patched
    if joiner is not None and not joiner.join(left_s / 2):
        names = ", ".join(thread.name for thread in _others()) or "a hook of a library"
        log("notice", "exit functions run now, though these have not ended: %s" % names)
        threading._shutdown = int  # type: ignore[attr-defined]  # Py_FinalizeEx would wait for them for ever
    ctypes.pythonapi.Py_Exit(0)
    os._exit(0)  # it does not return, which the type of the call does not say


def _guard(until_s: float, limit_s: float, log: Log) -> None:
    left_s = max(until_s - time.monotonic(), _LEAST_S)
    with contextlib.suppress(RuntimeError):  # as `_started`
        faulthandler.dump_traceback_later(left_s + _BEHIND_S, exit=True, file=2)
    bell = Lock()
    bell.acquire()
    main = get_ident()

    def watch() -> None:
        bell.acquire(timeout=left_s)
        log("warning", "shutdown-timeout of %gs is over: the exit is cut off in\n%s" % (limit_s, stack_of(main)))
        os._exit(0)

    _started("wsgigroups-end", watch)


def _started(name: str, function: Callable[[], None]) -> Optional[ServerThread]:
    """Start a thread; None where a limit on memory or processes leaves no room: the manager keeps the deadline then."""
    thread = ServerThread(name, function)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def _others() -> List[threading.Thread]:
    """Return the threads that the process would wait for; the server's own are none of them."""
    ours = (threading.current_thread(), threading.main_thread())
    return [thread for thread in threading.enumerate() if thread not in ours and not thread.daemon]


def _has_others() -> bool:
    try:
        return bool(_others())
    except Exception:  # noqa: BLE001 - it is patched: nothing can be said of it
        return True


def _join_threads() -> None:
    """What threading._shutdown does, without the main thread: first its own hooks, which end idle thread pools."""
    hooks: List[object] = getattr(threading, "_threading_atexits", [])  # from Python 3.9 on
    while hooks:
        try:
            hooks.pop()()  # type: ignore[operator]
        except BaseException:  # noqa: BLE001 - a library's hook; the others are still to run
            traceback.print_exc()
    for thread in _others():
        thread.join()
