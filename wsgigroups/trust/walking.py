"""Walking a path one component at a time, by descriptors that name things without opening them (O_PATH).

Each component is judged before the next one is looked up in it, and links are followed here, not by the kernel. What
was judged cannot be exchanged afterwards by anybody who is not trusted, so what is opened is what was judged.

Runs in the manager, in commands and in the checks against a host. Needs /proc.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.trust.alone import is_alone
from wsgigroups.trust.judging import Doubt, Fact, Trusted, judge

if TYPE_CHECKING:
    from types import TracebackType

_NAME_ONLY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
NOBODY = 2**32 - 2  # of `others_of`: the last number there is
_MAXIMUM_LINKS = 40  # as the kernel: path_resolution(7)
_MAXIMUM_ACL_BYTES = 65536


class UntrustedPathError(PermissionError):
    """A path that somebody else could change. strerror is the whole sentence, so that it reads as any other error."""

    def __init__(self, path: str, doubt: Doubt) -> None:
        super().__init__(errno.EPERM, str(doubt), path)
        self.doubt = doubt


@dataclass(slots=True)
class FollowedPath:
    """How far a path leads. Descriptors are O_PATH; close by leaving the context.

    directory: the last directory on the way; entry: what the last name leads to in it, -1 when that is the directory
    itself or nothing; missing: the names that are not there, the first of them in `directory`.
    """

    directory: int
    path: str  # of `directory`, without links
    fact: Fact  # about `directory`
    entry: int = -1
    name: str = ""
    missing: tuple[str, ...] = ()

    def __enter__(self) -> FollowedPath:  # noqa: PYI034 — Self is Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fd in (self.directory, self.entry):
            if fd >= 0:
                os.close(fd)
        self.directory = self.entry = -1


def trusted_here() -> Trusted:
    """Root and who we are. Of groups: root's, and the group that an ordinary user has alone.

    Where an ordinary user lives in a namespace without root, whoever owns `/` stands for it. In a container it may be
    alone, and then needs nothing to be protected from others: volumes there are often everybody's to write.
    """
    uid = os.geteuid()
    if uid == 0:
        return Trusted(frozenset({0}))
    return Trusted(frozenset({0, uid, os.stat("/").st_uid}), frozenset({0, *own_group(uid)}), or_alone=True)


def judging_root() -> Trusted | None:
    """Who is trusted with what only root has to be careful with; None when we are not root."""
    return trusted_here() if os.geteuid() == 0 else None


def own_group(uid: int) -> list[int]:
    """The group that a user has alone, as distributions give one to each; none where others are in it."""
    try:
        user = pwd.getpwuid(uid)
        group = grp.getgrgid(user.pw_gid)
    except KeyError:
        return []
    return [group.gr_gid] if group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name} else []


def doubt_about(path: str, trusted: Trusted) -> Doubt | None:
    """Return what speaks against a path, None if nothing does; what cannot be looked at speaks against nothing."""
    try:
        with follow(path, trusted):
            return None
    except UntrustedPathError as error:
        return error.doubt
    except OSError:
        return None


def others_of(path: str, trusted: Trusted) -> list[int]:
    """Return who besides the trusted could change where a path leads, by uid; NOBODY stands for whom a mode lets."""
    found: list[int] = []
    while (doubt := doubt_about(path, trusted)) is not None:
        uid = NOBODY if doubt.by_mode else _owner(doubt.path)
        if uid in (*trusted.uids, NOBODY):
            return [*found, NOBODY]
        found.append(uid)
        trusted = replace(trusted, uids=trusted.uids | {uid}, gids=trusted.gids | set(own_group(uid)))
    return found


def _owner(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_uid
    except OSError:  # it has just been taken away
        return NOBODY


def doubt_below(directory: str, trusted: Trusted, left_out: frozenset[str] = frozenset()) -> Doubt | None:
    """Return what speaks against anything in a directory that was judged, and below it; links are followed.

    left_out: names of its own entries that are not looked at. Raises OSError for what cannot be looked at.
    """
    waiting, linked = [directory], set()
    while waiting:
        place = waiting.pop()
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            parent = _fact(fd, place)
            for name in os.listdir(fd):
                if place == directory and name in left_out:
                    continue
                path = os.path.join(place, name)
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                fact = Fact(path, found.st_uid, found.st_gid, found.st_mode, found.st_nlink, _acl(path, found))
                doubt = judge(fact, parent, trusted)
                if doubt is not None:
                    return doubt
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(path)
                elif stat.S_ISLNK(found.st_mode):
                    doubt = doubt_about(path, trusted)
                    if doubt is not None:
                        return doubt
                    real = os.path.realpath(path)
                    if os.path.isdir(real) and real not in linked and not _is_below(real, directory):
                        linked.add(real)
                        waiting.append(real)
        finally:
            os.close(fd)
    return None


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def follow(path: str, trusted: Trusted | None, *, last_link: bool = True) -> FollowedPath:
    """Walk an absolute path as far as it is there. trusted None: nothing is judged.

    Raises UntrustedPathError, and OSError: ELOOP for too many links, or for a link at the end with last_link False.
    """
    if not os.path.isabs(path):
        raise OSError(errno.EINVAL, "not an absolute path", path)
    waiting = [name for name in reversed(path.split("/")) if name not in ("", ".")]
    place = _top(path, trusted)
    links = 0
    try:
        while waiting:
            name = waiting.pop()
            if name == "..":
                _step_into(place, os.open("..", _NAME_ONLY | os.O_DIRECTORY, dir_fd=place.directory), "..")
                continue
            try:
                entry = os.open(name, _NAME_ONLY, dir_fd=place.directory)
            except FileNotFoundError:
                if ".." in waiting:
                    raise
                place.missing = (name, *reversed(waiting))
                return place
            try:
                fact = _fact(entry, os.path.join(place.path, name))
                _check(path, fact, place.fact, trusted)
                if stat.S_ISLNK(fact.mode):
                    links += 1
                    if links > _MAXIMUM_LINKS or not (waiting or last_link):
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                    target = os.readlink("", dir_fd=entry)
                    waiting += [part for part in reversed(target.split("/")) if part not in ("", ".")]
                    if target.startswith("/"):
                        os.close(place.directory)
                        place.directory = -1
                        top = _top(path, trusted)
                        place.directory, place.path, place.fact = top.directory, top.path, top.fact
                elif stat.S_ISDIR(fact.mode):
                    _step_into(place, entry, name)
                    entry = -1
                elif waiting:
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), fact.path)
                else:
                    place.entry, place.name, entry = entry, name, -1
            finally:
                if entry >= 0:
                    os.close(entry)
    except BaseException:
        place.__exit__(None, None, None)
        raise
    return place


def _top(path: str, trusted: Trusted | None) -> FollowedPath:
    fd = os.open("/", _NAME_ONLY | os.O_DIRECTORY)
    place = FollowedPath(fd, "/", _fact(fd, "/"))
    try:
        _check(path, place.fact, None, trusted)
    except BaseException:
        os.close(fd)
        raise
    return place


def _step_into(place: FollowedPath, fd: int, name: str) -> None:
    os.close(place.directory)
    place.directory = fd
    place.path = os.path.dirname(place.path) if name == ".." else os.path.join(place.path, name)
    place.fact = _fact(fd, place.path)


def _check(path: str, fact: Fact, parent: Fact | None, trusted: Trusted | None) -> None:
    doubt = judge(fact, parent, trusted) if trusted is not None else None
    if doubt is not None and trusted is not None:
        if trusted.or_alone and doubt.by_mode and stat.S_ISDIR(fact.mode) and is_alone(trusted.uids):
            return
        raise UntrustedPathError(path, doubt)


def _fact(fd: int, path: str) -> Fact:
    found = os.fstat(fd)
    acl = _acl(f"/proc/self/fd/{fd}", found)
    return Fact(path, found.st_uid, found.st_gid, found.st_mode, found.st_nlink, acl)


def _acl(path: str, found: os.stat_result) -> bytes:
    """The access control list, b"" without one: it only adds to what the group's bits allow."""
    if not found.st_mode & stat.S_IWGRP or stat.S_ISLNK(found.st_mode):
        return b""
    try:
        return os.getxattr(path, "system.posix_acl_access")[:_MAXIMUM_ACL_BYTES]
    except OSError:
        return b""  # none, or a file system that knows none


def make_directories(path: str, trusted: Trusted | None, mode: int = 0o755) -> int:
    """Return an O_PATH descriptor of a directory, made with its parents where it is missing.

    Raises UntrustedPathError, and OSError.
    """
    with follow(path, trusted) as place:
        if place.entry >= 0:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        for name in place.missing:
            with contextlib.suppress(FileExistsError):  # somebody was faster: judged below like everything else
                os.mkdir(name, mode, dir_fd=place.directory)
            fd = os.open(name, _NAME_ONLY | os.O_DIRECTORY, dir_fd=place.directory)
            try:
                _check(path, _fact(fd, os.path.join(place.path, name)), place.fact, trusted)
            except BaseException:
                os.close(fd)
                raise
            _step_into(place, fd, name)
        directory, place.directory = place.directory, -1
        return directory


def private_directory(path: str, mode: int) -> None:
    """Make sure of a directory that is ours, that nobody else can write, and whose path nobody else can change.

    Raises UntrustedPathError, and OSError.
    """
    fd = make_directories(path, trusted_here(), mode)
    try:
        found = os.fstat(fd)
    finally:
        os.close(fd)
    if found.st_uid != os.geteuid():
        raise UntrustedPathError(path, Doubt(path, f"it belongs to uid {found.st_uid}"))
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedPathError(path, Doubt(path, "not only its owner can write it"))


def open_directory(path: str, trusted: Trusted | None) -> int:
    """Return an O_PATH descriptor of a directory that is there. Raises UntrustedPathError, and OSError."""
    with follow(path, trusted) as place:
        if place.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if place.entry >= 0:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        directory, place.directory = place.directory, -1
        return directory


def open_to_append(path: str, trusted: Trusted | None, mode: int = 0o640) -> int:
    """Open a file for appending, made if it is missing; never through a link at the end, never waiting for a reader.

    Raises UntrustedPathError, and OSError.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        with follow(path, trusted, last_link=False) as place:
            if place.entry >= 0:
                return os.open(f"/proc/self/fd/{place.entry}", flags)
            if not place.missing:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            if len(place.missing) > 1:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            try:
                return os.open(
                    place.missing[0], flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=place.directory
                )
            except FileExistsError:
                continue  # made in this moment by somebody else: judged in the next round


def untrusted_component(path: Path, uid: int = 0) -> Path | None:
    """Return the first component that somebody other than root and `uid` could swap or write; None if there is none.

    Every directory on the way counts, that of each symbolic link too. A sticky directory protects its entries, which
    are judged by their own owner. A missing rest of the path is nobody's.
    """
    # not asked for an absolute path: the working directory may have been removed
    absolute = path if path.is_absolute() else Path(os.getcwd()) / path
    doubt = doubt_about(str(absolute), Trusted(frozenset({0, uid})))
    return Path(doubt.path) if doubt else None
