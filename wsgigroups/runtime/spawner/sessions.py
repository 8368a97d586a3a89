"""Ends what dead daemons left behind: every process of their sessions.

Runs in the spawner's only thread while the daemons are still zombies: the pid of each is then also the number of its
session and process group, and nobody else can get it (credentials(7)). Must not signal a process that it has not
identified.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Collection, Dict, Set

from .. import kernel

_ROUNDS = 20  # a process may fork while it is looked for; it cannot win twenty times against SIGKILL of its parents


def kill_sessions(leaders: Collection[int], apart: Collection[int] = ()) -> Dict[int, int]:
    """SIGKILL the process groups and then all others of the sessions; return how many others there were, by leader.

    All at once: to look through /proc for each of a thousand that end together would take minutes. apart: processes
    that are known to be in none of these sessions; to look at a thousand of them would hold up who waits for this.
    """
    for leader in leaders:
        with contextlib.suppress(OSError):  # before Linux 6.9, or nobody is left; those that are, are found below
            _kill_group(leader)
    passed_over: Set[int] = {*leaders, *apart}
    others = dict.fromkeys(leaders, 0)
    for _round in range(_ROUNDS):
        found = {pid: _session(pid) for pid in _processes() if pid not in passed_over}
        ended = [pid for pid, leader in found.items() if leader in others and _kill_member(pid, leader)]
        if not ended:
            break
        for pid in ended:
            others[found[pid]] += 1
        passed_over.update(ended)  # they may still be on their way out in the next round
    return others


def _kill_group(leader: int) -> None:
    pidfd = kernel.pidfd_open(leader)
    try:
        kernel.pidfd_signal_group(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)


def _processes() -> "list[int]":
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:  # no /proc: the process group is all that can be reached
        return []


def _kill_member(pid: int, leader: int) -> bool:
    """Kill the process if it lives and belongs to the session. The pidfd is opened first, so it is that process."""
    if _session(pid) != leader:
        return False
    try:
        pidfd = kernel.pidfd_open(pid)
    except OSError:
        return False
    try:
        if _session(pid) != leader:
            return False
        kernel.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def _session(pid: int) -> int:
    """Return the session of a process that still runs, else -1 (proc_pid_stat(5): after the last parenthesis)."""
    try:
        fd = os.open("/proc/%d/stat" % pid, os.O_RDONLY | os.O_CLOEXEC)  # a file object takes as long again
        try:
            stat = os.read(fd, 4096)
        finally:
            os.close(fd)
        state, _parent, _group, session = stat.rpartition(b")")[2].split()[:4]
    except (OSError, ValueError):
        return -1
    return -1 if state in b"ZX" else int(session)
