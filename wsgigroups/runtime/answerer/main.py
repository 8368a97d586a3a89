"""Start of the answerer: gives up what it does not need, then answers. Arguments: descriptor of its channel, uid, gid.

"-" for uid and gid: it stays who it is, an ordinary user. Runs in the manager's own interpreter, as a process.
"""

from __future__ import annotations

import os
import resource
import socket
from typing import Sequence

from .. import kernel
from ..daemon.resources import set_oom_score
from .loop import Answerer

_DESCRIPTORS = 4096  # listeners and connections


def main(arguments: Sequence[str]) -> int:
    """Answer until the manager closes the channel; returns the exit code."""
    channel_fd = int(arguments[0])
    kernel.close_all_except({0, 1, 2, channel_fd})
    drop(*arguments[1:3])
    kernel.set_name("wsgigroups: answerer")
    with socket.socket(fileno=channel_fd) as channel:
        channel.setblocking(False)
        return Answerer(channel).run()


def drop(uid: str, gid: str) -> None:
    """Give up every privilege; nothing can be forked, written or dumped from here. Raises OSError."""
    os.chdir("/")
    set_oom_score(0)  # the manager's own is for the manager alone
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    for limit, value in (
        (resource.RLIMIT_NOFILE, most),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if uid != "-":
        for capability in kernel.bounding_set():
            kernel.drop_from_bounding_set(capability)
        os.setgroups([])
        os.setresgid(int(gid), int(gid), int(gid))
        os.setresuid(int(uid), int(uid), int(uid))
        if os.getresuid() != (int(uid),) * 3 or os.getresgid() != (int(gid),) * 3 or os.getgroups():
            raise PermissionError("the answerer is not who it should have become")
    kernel.clear_capabilities()
    kernel.set_no_new_privileges()
    kernel.forbid_tracing()
