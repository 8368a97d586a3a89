"""What one configuration of nginx has on the disk: its file, ways to directories, and pipes for its access logs.

All of it is in a private directory of the keeper. It stays until no process goes by it any more, since those that
finish their requests still open files below the directories and write their lines.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
from typing import Callable, Dict, Iterable, List, Tuple

from ..gateway.journal import LogFile
from ..originals import os

PIPE_BYTES = 1024 * 1024  # so that nginx, which writes and waits, never waits for a disk that is slow for a moment
_F_SETPIPE_SZ = 1031  # <linux/fcntl.h>; named in fcntl only from Python 3.10 on


def new_pipe(path: str) -> int:
    """Make a pipe with a name; return a descriptor to read it, for which it never ends. Raises OSError."""
    os.mkfifo(path, 0o600)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # beyond what a user may have (pipe(7)) it is as large as others
        fcntl.fcntl(fd, _F_SETPIPE_SZ, PIPE_BYTES)
    return fd


class Generation:
    """One configuration. workers: processes that may go by it though another one is in its place."""

    def __init__(
        self,
        directory: str,
        number: int,
        text: bytes,
        directories: List[int],
        logs: List[int],
        log: Callable[[str, str], None],
    ) -> None:
        """directories, logs: descriptors, which stay the caller's. Raises OSError."""
        self.number = number
        self.text = text
        self.path = os.path.join(directory, str(number))
        self.file = os.path.join(self.path, "nginx.conf")
        self.workers: List[int] = []
        self.pipes: List[int] = []
        self._directories: List[int] = []
        self._log = log
        self._logs: List[LogFile] = []
        self._rest: Dict[int, bytes] = {}  # by pipe, a line whose end has not come
        remove_tree(self.path)
        os.mkdir(self.path, 0o700)
        try:
            for place, theirs in enumerate(directories):
                fd = os.dup(theirs)
                self._directories.append(fd)
                os.symlink("/proc/%d/fd/%d" % (os.getpid(), fd), "%s/static-%d" % (self.path, place))
            for place in range(len(logs)):
                self.pipes.append(new_pipe("%s/access-%d" % (self.path, place)))
            self.reopen(logs)
            write_private(self.file, text)
        except BaseException:
            self.close()
            raise

    def reopen(self, logs: List[int]) -> None:
        """Write lines to these from now on; the descriptors stay the caller's. Raises OSError."""
        self._logs = [LogFile(os.dup(fd), self._log) for fd in logs]

    def pump(self, pipe: int) -> None:
        """Write what has come through a pipe of an access log to the log, in whole lines."""
        while True:
            try:
                data = os.read(pipe, PIPE_BYTES)
            except BlockingIOError:
                return
            whole, end, rest = (self._rest.pop(pipe, b"") + data).rpartition(b"\n")
            if rest:
                self._rest[pipe] = rest
            if end:
                self._logs[self.pipes.index(pipe)].write(whole + end)

    def close(self) -> None:
        """Remove it; nobody goes by it any more."""
        for fd in self.pipes:
            if self._logs:
                self.pump(fd)
            os.close(fd)
        for fd in self._directories:
            os.close(fd)
        self.pipes, self._directories, self._logs = [], [], []
        remove_tree(self.path)


def write_private(path: str, text: bytes) -> None:
    """Write a file that nobody else may read. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def private_directory(base: str, name: str) -> Tuple[str, int]:
    """Make the directory of one keeper, and remove those whose keepers are gone; return it, and what holds it.

    It is held as long as that descriptor is open anywhere: nginx has it too. Raises OSError.
    """
    path = os.path.join(base, name)
    for other in os.listdir(base):
        with contextlib.suppress(OSError):
            os.close(_hold(os.path.join(base, other)))
            remove_tree(os.path.join(base, other))
    os.mkdir(path, 0o700)
    return path, _hold(path)


def _hold(path: str) -> int:
    """Lock a directory; return the descriptor. Raises OSError: somebody holds it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd


def remove_tree(path: str) -> None:
    """Remove a directory of our own with all that is in it, following no link. Raises nothing."""
    with contextlib.suppress(OSError):
        for entry in _entries(path):
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                os.unlink(entry.path)
        os.rmdir(path)


def _entries(path: str) -> "Iterable[os.DirEntry[str]]":
    try:
        with os.scandir(path) as found:
            return list(found)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return []
        raise
