"""The end of a daemon's interpreter: threads are joined and exit functions run, but never beyond the deadline.

Runs in the main thread, with one helper thread. The process ends by os._exit afterwards, so nothing here has to
succeed; what CPython does by itself at this point could wait for ever.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
import traceback
from typing import List, Optional

_UNBOUNDED_S = 3600.0


def run_exit_functions(until_s: Optional[float]) -> bool:
    """Join non-daemon threads for at most half of what is left, then run atexit functions in this thread.

    `until_s` is CLOCK_MONOTONIC seconds, None for no limit. Returns False when something was left undone. An exit
    function that does not return is cut off by a guard that ends the process with code 0.
    """
    left_s = _UNBOUNDED_S if until_s is None else max(until_s - time.monotonic(), 0.0)
    joiner = threading.Thread(target=_join_threads, name="wsgigroups-join", daemon=True)
    joiner.start()
    joiner.join(left_s / 2)
    finished = not joiner.is_alive()
    left_s = _UNBOUNDED_S if until_s is None else max(until_s - time.monotonic(), 0.0)
    guard = threading.Timer(left_s, _cut_off)
    guard.daemon = True
    guard.start()
    _run_atexit()
    guard.cancel()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a full disk, or closed by the application
            continue
    return finished


def _join_threads() -> None:
    """What threading._shutdown does, without the main thread: first its own hooks, which end idle thread pools."""
    hooks: List[object] = list(getattr(threading, "_threading_atexits", []))  # from Python 3.9 on
    for hook in reversed(hooks):
        try:
            hook()  # type: ignore[operator]
        except BaseException:  # noqa: BLE001 - a library's hook; the others are still to run
            traceback.print_exc()
    ours = (threading.current_thread(), threading.main_thread())
    for thread in threading.enumerate():
        if thread not in ours and not thread.daemon:
            thread.join()


def _run_atexit() -> None:
    try:
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - CPython has printed it; before 3.10 the last one comes back as well
        return


def _cut_off() -> None:
    import os

    os._exit(0)
