"""UNIX socket files that root makes: in a directory that nobody else can change, owner and mode set by descriptor.

Runs in the manager.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import socket
import stat
import struct
from typing import TYPE_CHECKING

from wsgigroups.trust.walking import open_directory

if TYPE_CHECKING:
    from wsgigroups.trust.judging import Trusted

Inode = tuple[int, int]

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)
_KIND = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class TakenPathError(OSError):
    """Something is at the path of a socket that is not ours to remove. strerror says what, hint what to do."""

    def __init__(self, path: str, what: str, hint: str) -> None:
        super().__init__(errno.EADDRINUSE, what, path)
        self.hint = hint


def bind_unix(path: str, trusted: Trusted | None, *, mode: int = 0o600, uid: int = -1, gid: int = -1) -> socket.socket:
    """Return a socket bound to a new file with exactly this mode and, where it is not -1, this owner and group.

    The file is never wider open than that, and the umask does not count. Raises UntrustedPathError, and OSError.
    """
    sock, file = bind_unix_held(path, trusted, mode=mode, uid=uid, gid=gid)
    os.close(file)
    return sock


def bind_unix_held(
    path: str, trusted: Trusted | None, *, mode: int = 0o600, uid: int = -1, gid: int = -1
) -> tuple[socket.socket, int]:
    """As `bind_unix`, with an O_PATH descriptor of the file: while that is open, no other file has its number."""
    directory = open_directory(os.path.dirname(path) or "/", trusted)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # the mode of the socket's inode, less the umask, becomes the file's at bind: no moment with more (unix(7))
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(path)  # by its name, which is what peers see; nobody untrusted can have moved a part of it
        try:
            file = _settle(directory, os.path.basename(path), mode, uid, gid)
        except BaseException:
            os.unlink(os.path.basename(path), dir_fd=directory)
            raise
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock, file


def _settle(directory: int, name: str, mode: int, uid: int, gid: int) -> int:
    file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        _be_a_socket(file, name)
        if uid != -1 or gid != -1:
            os.chown(_by_descriptor(file), uid, gid)
        os.chmod(_by_descriptor(file), mode)
    except BaseException:
        os.close(file)
        raise
    return file


def _be_a_socket(file: int, name: str) -> None:
    if not stat.S_ISSOCK(os.fstat(file).st_mode):
        raise OSError(errno.EADDRINUSE, "not the socket that was made", name)


def _by_descriptor(file: int) -> str:
    return f"/proc/self/fd/{file}"  # fchmod(2) and fchown(2) take no O_PATH descriptor


def open_socket_file(path: str) -> int:
    """Return an O_PATH descriptor of the socket file at a path, -1 when there is none."""
    try:
        file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    if stat.S_ISSOCK(os.fstat(file).st_mode):
        return file
    os.close(file)
    return -1


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
            by_descriptor = _by_descriptor(file)
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


def remove_stale(path: str, trusted: Trusted | None, owner_uid: int | None = None) -> None:
    """Unlink a socket file of ours that nobody answers on. Raises TakenPathError for anything else there, and OSError.

    owner_uid: who has the files that we make there, besides us.
    """
    directory = open_directory(os.path.dirname(path) or "/", trusted)
    name = os.path.basename(path)
    try:
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            what = _KIND.get(stat.S_IFMT(found.st_mode), "something else")
            raise TakenPathError(path, f"{what} is there, and no socket", "move it away, or choose another path")
        who = who_answers(path)
        if who:
            raise TakenPathError(path, who, "it is left alone; end it, or choose another path")
        if not _is_ours(found, directory, owner_uid):
            what = f"a socket file of {_name_of(found.st_uid)} is there, which we did not make"
            raise TakenPathError(path, what, "remove it if nobody needs it, or choose another path")
        with contextlib.suppress(FileNotFoundError):
            now = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
                raise TakenPathError(path, "another file was put there just now", "try it again")
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)


def who_answers(path: str) -> str:
    """Who listens behind a socket file, as a sentence; "" for nobody. Nothing is sent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return ""
        except BlockingIOError:
            return "somebody listens there, whose queue is full"
        except PermissionError:
            return "a socket is there, and we may not see whether somebody listens on it"
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                return "somebody has a socket of another kind there"
            raise
        data = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(data)  # as they were when it called listen(2)
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().strip()
    except OSError:
        return f"somebody listens there: what process {pid} of {_name_of(uid)} has left behind"
    return f"process {pid} ({name}) of {_name_of(uid)} listens there"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_ours(found: os.stat_result, directory: int, owner_uid: int | None) -> bool:
    """Whether we made it: it has our owner, or the one that root gave it where only root can make files."""
    if found.st_uid in (0, os.geteuid()):
        return True
    if os.geteuid() != 0:
        return False
    return found.st_uid == owner_uid or not os.fstat(directory).st_mode & stat.S_IWOTH


def inode_of(path: str | None) -> Inode | None:
    """Device and number of what is at a path, None for nothing."""
    if not path:
        return None
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def inode_of_file(file: int) -> Inode | None:
    """Device and number of an open file, None for -1 and for one that has no name any more."""
    if file < 0:
        return None
    found = os.fstat(file)
    return (found.st_dev, found.st_ino) if found.st_nlink else None


def nobody_may_connect(file: int) -> bool:
    """Whether the mode of an open socket file permits it to no user: that takes the right to write (unix(7))."""
    return file >= 0 and not os.fstat(file).st_mode & 0o222


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
