"""nginx as a child: started on sockets that are there already, asked whether it can use a file, and looked at in /proc.

It is never trusted with more than its keeper has: no privileges, no descriptors but its listeners. When its keeper is
gone it finishes what it has in hand, and ends.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import Dict, List, Optional, Sequence, Tuple

from .. import kernel
from ..originals import os, select, signal, time

TEST_S = 60.0  # for a look at a configuration: some ms for each certificate
_SAID_BYTES = 16384  # of what it says then
_WORKER = b"nginx: worker process"
_CANNOT_RUN = 127  # exit code, as shells have it


class Program:
    """One nginx executable, with the listeners that it is to have."""

    def __init__(self, path: str, directory: str, listeners: Sequence[int], kept: Sequence[int]) -> None:
        """directory: what it begins its relative paths with; kept: descriptors that it has besides, and leaves alone.

        listeners: listening sockets, which it finds by their addresses (the variable NGINX of its environment).
        """
        self._path = path
        self._directory = directory
        self._listeners = list(listeners)
        self._kept = list(kept)

    def start(self, file: str, said: int) -> int:
        """Start it with a configuration; return its pid. said: what gets its log. Raises OSError."""
        return self._fork(["-c", file], said)

    def test(self, file: str) -> str:
        """Return why it cannot use a configuration, or "". Raises OSError."""
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                pid = self._fork(["-t", "-q", "-c", file], write)
            finally:
                os.close(write)
            said, late = _read(read, time.monotonic() + TEST_S)
            if late:
                os.kill(pid, signal.SIGKILL)
            _pid, status = os.waitpid(pid, 0)
        finally:
            os.close(read)
        if late:
            return "nginx has not looked through it within %g s" % TEST_S
        return "" if status == 0 else reason_in(said) or "nginx ended with status %d" % status

    def _fork(self, arguments: List[str], said: int) -> int:
        command = [self._path, "-p", self._directory + "/", "-e", "stderr", *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "NGINX"}
        if self._listeners:
            environment["NGINX"] = "".join("%d;" % fd for fd in self._listeners)
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child executes at once
            pid = os.fork()
        if pid == 0:
            self._become(command, environment, said, parent)
        return pid

    def _become(self, command: List[str], environment: Dict[str, str], said: int, parent: int) -> None:
        """Execute it, in the child. Never returns."""
        try:
            kernel.end_with_parent(signal.SIGQUIT)
            if os.getppid() != parent:
                os._exit(_CANNOT_RUN)
            for fd in (1, 2):
                os.dup2(said, fd)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            for fd in (*self._listeners, *self._kept):
                os.set_inheritable(fd, True)
            os.execve(self._path, command, environment)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(2, b"nginx: [emerg] %b cannot be executed: %b\n" % tuple(
                    text.encode("utf-8", "replace") for text in (self._path, str(error.strerror))
                ))  # fmt: skip
        finally:
            os._exit(_CANNOT_RUN)


def _read(fd: int, until_s: float) -> Tuple[str, bool]:
    """Read what it says to the end, or until it is late: whether it is."""
    said = b""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not poller.poll(left_s * 1000):
            return said.decode("utf-8", "replace"), True
        data = os.read(fd, 65536)
        if not data:
            return said.decode("utf-8", "replace"), False
        said = (said + data)[-_SAID_BYTES:]


def reason_in(said: str) -> str:
    """Return what it says of the worst that has happened, in one line; "" if it says nothing."""
    lines = [line for line in said.splitlines() if line.strip()]
    for level in ("[emerg]", "[alert]", "[crit]", "[error]"):
        for line in lines:
            if level in line:
                text = line.partition(level)[2].strip()
                number, _, rest = text.partition(": ")
                return rest if number.replace("#", "").isdigit() else text
    return lines[-1].strip() if lines else ""


def children_of(pid: int) -> List[int]:
    """Return the processes that are a process's children; none for one that is gone (proc(5), task/TID/children)."""
    found: List[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/%d/task" % pid):
            found += map(int, _content("/proc/%d/task/%s/children" % (pid, thread)).split())
    return found


def is_worker(pid: int) -> bool:
    """Whether a process is a worker of an nginx."""
    return _title(pid).startswith(_WORKER)


def takes_requests(pid: int) -> bool:
    """Whether a worker takes new connections; it says in its title when it does not any more, or does not yet."""
    title = _title(pid)
    return title.startswith(_WORKER) and b"shutting down" not in title


def _title(pid: int) -> bytes:
    return _content("/proc/%d/cmdline" % pid)


def _content(path: str) -> bytes:
    """Return what a file of proc(5) says; nothing for a process that is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""
    finally:
        os.close(fd)


def send(pid: int, number: int) -> None:
    """Send a signal to a child; nothing happens where it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def ended(pid: int) -> Optional[int]:
    """Return the status of a child that has ended and is reaped with that, as waitpid(2) has it; else None."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if found else None
