"""Interrupting one request: RequestTimeout is raised in its thread, where that is in the application.

CPython can raise an exception in another thread (PyThreadState_SetAsyncExc, "Thread State and the Global Interpreter
Lock" of its C API): at whatever comes next there, as soon as Python code goes on. It must never come up in code of ours
that answers or leads, which would leave a connection or the lead half done. So each thread has a *door*: whoever takes
the token that lies there while the application is called has the say. If the thread takes it, on its way out, nobody
will interrupt it any more; if the main thread does, the request thread waits at its door until it is settled whether
something will be raised, and takes that back if it has not come by then.

`wrap` and what it returns run in request threads, `interrupt` in the main thread. A group without interrupt-timeout
calls its application without all this.
"""

from __future__ import annotations

import collections
import ctypes
import sys
from types import FrameType
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, Optional

from .. import tracebacks
from ..originals import get_ident, time
from ..wsgi.files import FileWrapper
from ..wsgi.interrupted import RequestTimeout

_SOON_S = 0.0005  # the main thread is a few statements from the end of what it does
_PACKAGE = __name__.rpartition(".")[0].rpartition(".")[0]  # the runtime
_REQUEST_PATH = tuple(_PACKAGE + room for room in (".front.", ".calls.", ".wsgi.", ".records.", ".protocol."))
_PLAIN = (list, tuple, bytes, str, FileWrapper)  # what is not iterated in the application's code
_NOTHING = object()


class Door:
    """One request thread's."""

    __slots__ = ("ident", "inside", "raised", "token")

    def __init__(self, ident: int) -> None:
        self.ident = ident
        self.inside = False  # the request thread's own
        self.token: Deque[None] = collections.deque()
        self.raised: Deque[None] = collections.deque()  # not empty: the main thread took the token, and has raised

    def enter(self) -> None:
        self.inside = True
        self.token.append(None)

    def leave(self) -> None:
        """Return when nothing will be raised here any more. RequestTimeout may come up until then; call again."""
        while self.inside:
            try:
                self.token.pop()
            except IndexError:
                if not self.raised:
                    time.sleep(_SOON_S)
                    continue
                take_back(self.ident)
                self.raised.clear()
            self.inside = False


class _Answered(BaseException):
    """Comes up at once in the thread that has raised it."""


def raise_in(ident: int, kind: type) -> None:
    """Raise in a thread."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(kind))


def take_back(ident: int) -> None:
    """Take back what was raised in the calling thread, whose this is; RequestTimeout may come up until it returns.

    CPython has a flag for all threads, that something is to be raised in one. To take something back raises that flag,
    too, and only what comes up lowers it. While it is up, each loop takes longer, and CPython 3.11 goes round for ever
    at the first call of a Python function that somebody traces (sys.settrace): so something else takes its place and
    comes up, and no such function is called meanwhile.
    """
    put, thread, answered = (
        ctypes.pythonapi.PyThreadState_SetAsyncExc,
        ctypes.c_ulong(ident),
        ctypes.py_object(_Answered),
    )
    try:
        put(thread, answered)
        while True:
            pass
    except _Answered:
        pass


def guarded(door: Door, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the application's code; RequestTimeout may come up in it, and does not come up any more after it."""
    result: Any = _NOTHING
    try:
        try:
            door.enter()
            result = function(*arguments)
        finally:
            door.leave()
    except RequestTimeout:
        door.leave()
        if result is _NOTHING:
            raise
        # It came when the call was over, and is of no use any more.
    return result


class _Guarded:
    """What an application has returned, if its code runs whenever it is iterated (PEP 3333)."""

    def __init__(self, door: Door, inner: Iterable[bytes]) -> None:
        self._door = door
        self._inner = inner
        self._iterator: Iterator[bytes]

    def __iter__(self) -> _Guarded:
        self._iterator = guarded(self._door, iter, self._inner)
        return self

    def __next__(self) -> bytes:
        block: bytes = guarded(self._door, next, self._iterator)
        return block

    def close(self) -> None:
        """Call close() of the iterable, if it has one."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            guarded(self._door, close)


class Interrupts:
    """The doors of one process."""

    def __init__(self) -> None:
        self._doors: Dict[int, Door] = {}

    def wrap(self, application: Callable[..., Any]) -> Callable[..., Any]:
        """Return an application that can be interrupted."""
        doors = self._doors

        def interruptible(environ: Dict[str, Any], start_response: Callable[..., Any]) -> Any:
            ident = get_ident()
            door = doors.get(ident)
            if door is None:
                doors[ident] = door = Door(ident)
            result = guarded(door, application, environ, start_response)
            return result if type(result) in _PLAIN else _Guarded(door, result)

        return interruptible

    def interrupt(self, ident: int, still: Callable[[], bool]) -> str:
        """Raise RequestTimeout in a thread, once for each time that it enters the application; returns its stack.

        Returns "" and does nothing if it is not in the application's own code just now, or not with the same request
        any more, as `still` says while it cannot leave.
        """
        door = self._doors.get(ident)
        frame = sys._current_frames().get(ident)
        if door is None or frame is None:
            return ""
        stack = tracebacks.of_stack(frame)
        del frame
        try:
            door.token.pop()
        except IndexError:
            return ""
        frame = sys._current_frames().get(ident)
        if frame is None or not still() or not is_in_application(frame):
            door.token.append(None)
            return ""
        raise_in(ident, RequestTimeout)
        door.raised.append(None)
        return stack


def is_in_application(top: FrameType) -> bool:
    """Whether nothing of the request path is on the stack above the call of the application.

    Of ours there may be what passes a call on (`daemon.applications`), but not on top, and nothing that loads.
    """
    frame: Optional[FrameType] = top
    while frame is not None:
        if frame.f_code is guarded.__code__:
            return frame is not top
        name = str(frame.f_globals.get("__name__", ""))
        ours = name == _PACKAGE or name.startswith(_PACKAGE + ".")
        if ours and (frame is top or name.startswith(_REQUEST_PATH) or frame.f_code.co_name != "__call__"):
            return False
        frame = frame.f_back
    return False


def threads_compete() -> bool:
    """Whether there is a GIL; Python 3.13 can be built without and can switch it on and off."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())
