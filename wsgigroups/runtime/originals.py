"""The standard library as it was before an application could patch it.

`eventlet.monkey_patch()`, gevent's `patch_all()` and their like replace functions in modules for whoever looks them up
later: their `time.sleep` switches to another green thread, their `select` has no `epoll`. So what runs beside an
application has its modules from here: copies that nobody else knows, made when this is imported, which a spawner does
before it forks. To look a name up in one costs what it costs in the module. Of `threading` there is only what is
written in C, since its classes look up each other in the module that is patched; threads.ServerThread makes threads.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from _thread import LockType, RLock, allocate_lock, get_ident, stack_size
from threading import local
from types import ModuleType
from typing import TYPE_CHECKING

Lock = allocate_lock


def _copy(module: ModuleType) -> ModuleType:
    copy = ModuleType(module.__name__, module.__doc__)
    vars(copy).update(vars(module))
    return copy


if not TYPE_CHECKING:
    os, select, signal, socket, time = map(_copy, (os, select, signal, socket, time))


class Alone:
    """A lock that its thread may take again. Eventlet looks for RLocks in attributes, and puts others there."""

    __slots__ = ("_acquire", "_release")

    def __init__(self) -> None:
        lock = RLock()
        self._acquire, self._release = lock.acquire, lock.release

    def __enter__(self) -> None:
        self._acquire()

    def __exit__(self, *_error: object) -> None:
        self._release()


__all__ = ["Alone", "Lock", "LockType", "get_ident", "local", "os", "select", "signal", "socket", "stack_size", "time"]
