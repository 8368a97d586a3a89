"""One manager per run directory and per state directory: a lock file, held by a descriptor, removed by its holder.

Runs in the manager's only thread, before everything and after everything else. The lock goes with the process however
that ends; the file of one that was killed stays, and the next manager takes it over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LET_GO_S = 2.0  # for what is left of a holder that has died
_LOOK_S = 0.02


class TakenLockError(WsgigroupsError):
    """Another manager has the lock on this file. holder: a clause with its pid, where that is known."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"cannot start a manager: another one{holder} holds {path}",
            hint="`wsgigroups status` asks the one that runs",
        )
        self.path = path


class HeldLock:
    """A lock that is held, and its file. Made by `held`."""

    def __init__(self, path: Path, fd: int = -1) -> None:
        """fd: a descriptor that holds it already, from the version before this one; -1: take it."""
        self._path = path
        self._fd = _taken_over(path, fd) if fd >= 0 else _take(path)

    @property
    def fd(self) -> int:
        """What holds it."""
        return self._fd

    @property
    def lost(self) -> bool:
        """Whether the file is gone, or is another one: who comes now would not see that it is held."""
        return not _is_at(self._path, self._fd)

    def take_again(self) -> None:
        """Hold the lock on what is at the path now. Raises OSError, and WsgigroupsError when another has it."""
        fd = _take(self._path)
        os.close(self._fd)
        self._fd = fd

    def release(self) -> None:
        """Remove the file and let go."""
        if not self.lost:  # still held: nobody can have taken over the file, so it is ours that goes
            self._path.unlink(missing_ok=True)
        os.close(self._fd)


@contextlib.contextmanager
def held(path: Path, fd: int = -1) -> Iterator[HeldLock]:
    """Hold the lock during the block and remove its file afterwards. Raises WsgigroupsError when another has it.

    fd: as of HeldLock.
    """
    lock = HeldLock(path, fd)
    try:
        yield lock
    finally:
        lock.release()


def _take(path: Path) -> int:
    """Return a descriptor that holds the lock on the file that is at the path.

    Whoever opened the file before its holder removed it gets a lock on a file that nobody else will ever find, so the
    lock counts only if the path still leads to what was locked.
    """
    until = time.monotonic() + _LET_GO_S
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, fd):
                os.truncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return fd
        except BlockingIOError:
            holder, gone = _holder(fd), _holder_is_gone(fd)
            os.close(fd)
            if gone and time.monotonic() < until:  # a child that it was starting has the lock until it executes
                time.sleep(_LOOK_S)
                continue
            raise TakenLockError(path, holder) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _taken_over(path: Path, fd: int) -> int:
    """Return a descriptor that was passed if it holds the lock at the path, else one that does."""
    try:
        if _is_at(path, fd):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
    except OSError:
        return _take(path)  # it is no descriptor of ours
    os.close(fd)
    return _take(path)


def _holder(fd: int) -> str:
    """Who wrote the file, for people: the pid as the holder has it, which in a container is another one."""
    text = os.pread(fd, 32, 0).strip()
    return f" (pid {text.decode()})" if text.isdigit() else ""


def _holder_is_gone(fd: int) -> bool:
    """Whether there is no process any more with the number that the holder wrote."""
    text = os.pread(fd, 32, 0).strip()
    return text.isdigit() and not os.path.exists(f"/proc/{text.decode()}")


def _is_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False
