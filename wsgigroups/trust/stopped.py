"""Whether a process was stopped by a signal: it holds what it holds, and answers nobody. Runs in commands."""

from __future__ import annotations


def is_stopped(pid: int) -> bool:
    """Whether it is in state T (proc_pid_stat(5)); False for one that cannot be looked at.

    One that a tracer holds, t, goes on in a moment: strace holds it at each system call.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False
