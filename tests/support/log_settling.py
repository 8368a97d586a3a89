"""What daemons said and the log writer has not written yet. Runs in pytest's process, an ancestor of the log writer.

The log writer has written all when its pipes are empty and none of its threads runs: /proc tells both.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
from pathlib import Path

import psutil
from support.looking import wait

TALKED_S = 10.0


def settle() -> None:
    """Wait until each log writer below this process has written what it was told.

    Where somebody goes on to talk it has nothing left to write at no time: then what was said before has been written.
    """
    with contextlib.suppress(TimeoutError):
        wait(lambda: all(_idle(pid) for pid in log_writers()), lambda: "somebody goes on to talk", TALKED_S)


def log_writers() -> list[int]:
    """Pids of those that run."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "write-logs" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def _idle(pid: int) -> bool:
    try:
        if _waiting(pid):
            return False
        stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has changed meanwhile, or is gone: look again
    return all(stat.rpartition(")")[2].split()[0] == "S" for stat in stats)


def _waiting(pid: int) -> int:
    """Bytes in the pipes that a process has open; 0 where that cannot be asked, as of one that must not be traced.

    There its threads tell: who has something to read runs.
    """
    total = 0
    with contextlib.suppress(PermissionError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(path).startswith("pipe:"):
                total += _in_pipe(path)
    return total


def _in_pipe(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        count = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return count[0]
    finally:
        os.close(fd)
