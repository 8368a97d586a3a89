"""UNIX socket files that root makes: in a directory that nobody else can change, owner and mode set by descriptor.

Runs in the manager.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

from wsgigroups.trust.walking import open_directory

if TYPE_CHECKING:
    from wsgigroups.trust.judging import Trusted

Inode = tuple[int, int]


def bind_unix(path: str, trusted: Trusted | None, *, mode: int = 0o600, uid: int = -1, gid: int = -1) -> socket.socket:
    """Return a socket bound to a new file with exactly this mode and, where it is not -1, this owner and group.

    The file is never wider open than that, and the umask does not count. Raises UntrustedPathError, and OSError.
    """
    directory = open_directory(os.path.dirname(path) or "/", trusted)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # the mode of the socket's inode, less the umask, becomes the file's at bind: no moment with more (unix(7))
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(path)  # by its name, which is what peers see; nobody untrusted can have moved a part of it
        try:
            _settle(directory, os.path.basename(path), mode, uid, gid)
        except BaseException:
            os.unlink(os.path.basename(path), dir_fd=directory)
            raise
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


def _settle(directory: int, name: str, mode: int, uid: int, gid: int) -> None:
    file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not stat.S_ISSOCK(os.fstat(file).st_mode):
            raise OSError(errno.EADDRINUSE, "not the socket that was made", name)
        by_descriptor = f"/proc/self/fd/{file}"  # fchmod(2) and fchown(2) take no O_PATH descriptor
        if uid != -1 or gid != -1:
            os.chown(by_descriptor, uid, gid)
        os.chmod(by_descriptor, mode)
    finally:
        os.close(file)


def own_file(path: str, inode: Inode, trusted: Trusted | None, uid: int, mode: int = 0o600) -> None:
    """Give the socket file that was made here another owner. Raises UntrustedPathError, and OSError.

    What somebody has put in its place is not touched: nobody is to own what we did not make.
    """
    directory = open_directory(os.path.dirname(path) or "/", trusted)
    try:
        file = os.open(os.path.basename(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            found = os.fstat(file)
            if (found.st_dev, found.st_ino) != inode or not stat.S_ISSOCK(found.st_mode):
                raise OSError(errno.ESTALE, "another file has taken the place of the socket", path)
            by_descriptor = f"/proc/self/fd/{file}"
            if found.st_uid != uid:
                os.chown(by_descriptor, uid, -1)
            if stat.S_IMODE(found.st_mode) != mode:
                os.chmod(by_descriptor, mode)
            found = os.fstat(file)
            if (found.st_uid, stat.S_IMODE(found.st_mode)) != (uid, mode):
                raise OSError(errno.EPERM, f"the socket's owner is {found.st_uid} still", path)
        finally:
            os.close(file)
    finally:
        os.close(directory)


def remove_stale(path: str, trusted: Trusted | None) -> None:
    """Unlink a socket file of ours that nobody answers on. Raises OSError(EADDRINUSE) for anything else there."""
    directory = open_directory(os.path.dirname(path) or "/", trusted)
    name = os.path.basename(path)
    try:
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode) or not _is_ours(found, directory):
            raise OSError(errno.EADDRINUSE, "not a socket of ours")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(name, dir_fd=directory)
                return
            except BlockingIOError:
                pass  # a full backlog: somebody is there
        raise OSError(errno.EADDRINUSE, "somebody answers there")
    finally:
        os.close(directory)


def _is_ours(found: os.stat_result, directory: int) -> bool:
    """Whether we made it: it has our owner, or the one that root gave it where only root can make files."""
    if found.st_uid in (0, os.geteuid()):
        return True
    return os.geteuid() == 0 and not os.fstat(directory).st_mode & stat.S_IWOTH


def inode_of(path: str | None) -> Inode | None:
    """Device and number of what is at a path, None for nothing."""
    if not path:
        return None
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def unlink_if_same(path: str, inode: Inode | None, trusted: Trusted | None) -> None:
    """Remove a socket file if it is still the one that was made; a directory that cannot be trusted stays as it is."""
    with contextlib.suppress(OSError):
        directory = open_directory(os.path.dirname(path) or "/", trusted)
        try:
            found = os.stat(os.path.basename(path), dir_fd=directory, follow_symlinks=False)
            if inode == (found.st_dev, found.st_ino):
                os.unlink(os.path.basename(path), dir_fd=directory)
        finally:
            os.close(directory)
