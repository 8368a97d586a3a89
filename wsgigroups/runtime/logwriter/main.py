"""Start of the log writer: gives up what it does not need, then writes. Arguments: listener, ready, uid, gid, manager.

listener: a bound socket; ready: a pipe that gets "ready"; uid, gid: who it becomes, "-" for both: it
stays who it is, an ordinary user; manager: the uid of managers. Runs in the manager's own interpreter, as a process.
"""

from __future__ import annotations

import contextlib
import gc
import resource
import signal
import socket
from typing import Sequence

from .. import kernel
from ..daemon.resources import set_oom_score
from ..originals import os
from .loop import BACKLOG, WritingLoop

_DESCRIPTORS = 65536  # a pipe for each process, a file for each log


def main(arguments: Sequence[str]) -> int:
    """Write until told to end; returns the exit code."""
    listen_fd, ready_fd = int(arguments[0]), int(arguments[1])
    kernel.close_all_except({0, 1, 2, listen_fd, ready_fd})
    drop(arguments[2], arguments[3])
    kernel.set_name("wsgigroups: log writer")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # they are the manager's: what is in the pipes is written first
    gc.enable()
    with socket.socket(fileno=listen_fd) as listener:
        listener.listen(BACKLOG)  # here, so that a manager finds this process there (SO_PEERCRED)
        writer = WritingLoop(listener, int(arguments[4]))
        with contextlib.suppress(OSError):  # nobody waits any more; the socket is what counts
            os.write(ready_fd, b"ready\n")
        os.close(ready_fd)
        code = writer.run()
    os._exit(code)  # a thread may be in a write that a disk never ends


def drop(uid: str, gid: str) -> None:
    """Give up every privilege. Raises OSError."""
    os.chdir("/")
    os.umask(0o077)
    set_oom_score(0)  # the manager's own is for the manager alone
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if uid != "-":
        for capability in kernel.bounding_set():
            kernel.drop_from_bounding_set(capability)
        os.setgroups([])
        os.setresgid(int(gid), int(gid), int(gid))
        os.setresuid(int(uid), int(uid), int(uid))
        if os.getresuid() != (int(uid),) * 3 or os.getresgid() != (int(gid),) * 3 or os.getgroups():
            raise PermissionError("the log writer is not who it should have become")
    kernel.clear_capabilities()
    kernel.set_no_new_privileges()
    kernel.forbid_tracing()
