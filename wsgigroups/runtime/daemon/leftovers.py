"""What an application must not have when a mold is made of it, since it does not survive fork(2) or would be shared.

Runs in the founder's main thread, before the import and after it. Threads are gone in a child, with the locks that
they hold; sockets and event loops are one and the same in all of them; children are nobody's there.
"""

from __future__ import annotations

import stat
import sys
import threading
from typing import Any, FrozenSet, List

from ..originals import os
from ..threads import patched

_SHOWN = 5  # names of threads, descriptors
_MOST = 4096  # descriptors that are looked at where there is no /proc


def open_descriptors() -> FrozenSet[int]:
    """Return the descriptors that are open."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:  # after a chroot
        numbers = list(range(_MOST))
    return frozenset(fd for fd in numbers if _mode(fd) is not None)  # that of the listing itself is closed by now


def found(before: FrozenSet[int]) -> List[str]:
    """Return a clause for each kind of thing that is there and would not survive. before: `open_descriptors` then."""
    if patched():
        return ["its threads are those of gevent or eventlet"]
    return [clause for clause in (_threads(), *_descriptors(before), _children()) if clause]


def _threads() -> str:
    known = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    count = max(_native_threads() - 1, len(known))
    if not count:
        return ""
    names = [_name(thread) for thread in known] or ["of a library in C, such as OpenBLAS"]
    return "%s (%s)" % ("1 thread runs" if count == 1 else "%d threads run" % count, _listed(names))


def _native_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def _name(thread: Any) -> str:
    """Return the thread's name and the module that it is of, where that can be told."""
    target = getattr(thread, "_target", None)
    module = getattr(target, "__module__", None) or type(thread).__module__
    return thread.name if module == "threading" else "%s of %s" % (thread.name, module)


def _descriptors(before: FrozenSet[int]) -> List[str]:
    sockets, others = [], []
    for fd in sorted(open_descriptors() - before):
        mode = _mode(fd)
        if mode is None:
            continue
        if stat.S_ISSOCK(mode):
            sockets.append("descriptor %d" % fd)
        elif stat.S_IFMT(mode) == 0:  # the inode of epoll, eventfd, inotify and their like has no type
            others.append("%s, descriptor %d" % (_kind(fd), fd))
    clauses = []
    if sockets:
        clauses.append("%s open (%s)" % (_counted(len(sockets), "socket"), _listed(sockets)))
    if others:
        clauses.append("%s open (%s)" % (_counted(len(others), "part", " of an event loop"), _listed(others)))
    return clauses


def _counted(count: int, noun: str, rest: str = "") -> str:
    return "1 %s%s is" % (noun, rest) if count == 1 else "%d %ss%s are" % (count, noun, rest)


def _mode(fd: int) -> Any:
    try:
        return os.fstat(fd).st_mode
    except OSError:
        return None


def _kind(fd: int) -> str:
    try:
        return os.readlink("/proc/self/fd/%d" % fd).partition("[")[2].rstrip("]") or "unknown"
    except OSError:
        return "unknown"


def _children() -> str:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return ""
    return "a process runs that it has started"


def _listed(names: List[str]) -> str:
    text = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return text.encode(sys.getfilesystemencoding(), "backslashreplace").decode(errors="replace")
