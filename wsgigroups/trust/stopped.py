"""Whether a process was stopped by a signal: it holds what it holds, and answers nobody. Runs in commands."""

from __future__ import annotations


def is_stopped(pid: int) -> bool:
    """Whether it is in state T, stopped, or t, traced (proc_pid_stat(5)); False for one that cannot be looked at."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False
