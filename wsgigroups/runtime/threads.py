"""Threads of the server's own: real ones, whatever the application has made of the module `threading`.

A thread is an ordinary threading.Thread, so that the application finds what it expects in `threading.current_thread()`,
and in processes that it forks, unless that module is patched: then it is a thread that the module does not know.
"""

from __future__ import annotations

import _thread
import threading
from typing import Any, Callable, Dict, Tuple

from .originals import Lock, LockType, get_ident, time

# What threading.Thread looks up in its module while it starts and ends (not every version has all of them), but for
# what a fork makes anew.
_LOOKED_UP = (
    *("_start_new_thread", "_start_joinable_thread", "_set_sentinel", "_allocate_lock", "_make_thread_handle"),
    *("Lock", "RLock", "Condition", "Event", "get_ident", "get_native_id", "current_thread"),
)


def _found() -> Tuple[Any, ...]:
    return tuple(getattr(threading, name, None) for name in _LOOKED_UP)


_WAS = _found()
_start = threading.Thread.start
_start_unknown = _thread.start_new_thread
# A lock that is let go when the thread that made it is gone; from Python 3.13 on there are handles instead.
_set_sentinel: Any = getattr(_thread, "_set_sentinel", None)
_start_joinable: Any = getattr(_thread, "start_joinable_thread", None)
names: Dict[int, str] = {}  # of the server's threads, by ident, while they run


class _Thread(threading.Thread):
    """With a `run` of its own, since libraries that trace threads replace that of the class."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._ran = False

    def run(self) -> None:
        self._ran = True
        self._work()

    def _bootstrap(self) -> None:
        """Do the work even if the application patches the module while the thread begins, which then fails there."""
        try:
            super()._bootstrap()  # type: ignore[misc]
        except Exception:
            if self._ran:
                raise
        if not self._ran:
            self._started.set()  # type: ignore[attr-defined]  # who starts it waits for this
            self.run()

    def _delete(self) -> None:
        """Leave the module's list, even if it has other idents since it was patched."""
        threading._active.pop(self.ident, None)  # type: ignore[attr-defined]


def patched() -> bool:
    """Whether the module `threading` is not what it was, so that its threads may not be the system's."""
    return any(found is not was for found, was in zip(_found(), _WAS))


class ServerThread:
    """One thread that does not keep the process from ending. Any thread may start it and wait for it."""

    __slots__ = ("_arguments", "_begun", "_ended", "_function", "_handle", "ident", "name")

    def __init__(self, name: str, function: Callable[..., None], *arguments: Any) -> None:
        self.name = name
        self.ident = 0  # as _thread.get_ident has it, once it runs
        self._function = function
        self._arguments = arguments
        self._ended = Lock()  # held until the function has returned
        # Held until it runs. One that begins while the interpreter ends looks into what is freed, which is a SIGSEGV
        # (CPython 3.11, thread_run). threading.Thread.start waits, too.
        self._begun = Lock()
        self._begun.acquire()
        self._handle: Any = None  # what says that nothing of the thread is left

    def start(self) -> None:
        """Start it, once. Raises RuntimeError when the system has no room for it."""
        self._ended.acquire()
        try:
            if not patched():
                thread = _Thread(self.name, self._run)
                _start(thread)
                self._handle = getattr(thread, "_handle", None) or getattr(thread, "_tstate_lock", None)
            elif _start_joinable is not None:
                self._handle = _start_joinable(self._run, daemon=True)
            else:
                _start_unknown(self._run_unknown, ())
        except BaseException:
            self._ended.release()
            raise
        self._begun.acquire()

    def join(self, timeout_s: float) -> bool:
        """Wait until nothing of it runs any more, which the end of the interpreter could not bear; whether it is so."""
        until_s = time.monotonic() + timeout_s
        if not _wait(self._ended, timeout_s):
            return False
        if hasattr(self._handle, "join"):
            self._handle.join(max(0.0, until_s - time.monotonic()))
            return bool(self._handle.is_done())
        return self._handle is None or _wait(self._handle, until_s - time.monotonic())

    def _run_unknown(self) -> None:
        self._handle = _set_sentinel()
        self._run()

    def _run(self) -> None:
        self.ident = ident = get_ident()
        names[ident] = self.name
        self._begun.release()
        try:
            self._function(*self._arguments)
        finally:
            del names[ident]
            self._ended.release()


def _wait(lock: LockType, timeout_s: float) -> bool:
    """Wait until whoever holds a lock for good has let it go."""
    if not lock.acquire(timeout=max(0.0, timeout_s)):
        return False
    lock.release()
    return True
