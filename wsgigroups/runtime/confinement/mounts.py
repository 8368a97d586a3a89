"""A mount namespace of its own: what is hidden, what is read-only, which /tmp, /dev and /proc a process sees.

Runs in the forked child before the drop of privileges, with the calls of Linux 5.12 that name mounts by descriptors:
no path is looked up twice, and a symbolic link that a tenant could have made is not followed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
from typing import Dict, Iterable, Iterator, List, Tuple

from .. import kernel

_NR_OPEN_TREE, _NR_MOVE_MOUNT, _NR_FSOPEN, _NR_FSCONFIG, _NR_FSMOUNT, _NR_MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
_CLONE = 1 | os.O_CLOEXEC  # OPEN_TREE_CLONE
_RECURSIVE, _ITSELF = 0x8000, 0x1000  # AT_RECURSIVE, AT_EMPTY_PATH
_FROM_ITSELF, _TO_ITSELF = 0x4, 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_SET_STRING, _CREATE = 1, 6  # FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE
_CLOSE_ON_EXEC = 1  # of fsopen and fsmount
READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8  # MOUNT_ATTR_*
_SLAVE = 1 << 19  # MS_SLAVE: what the host mounts later is seen, and nothing goes back

SYSTEM = {"yes": ("/usr", "/boot", "/efi"), "full": ("/usr", "/boot", "/efi", "/etc")}  # as systemd
TMP = ("/tmp", "/var/tmp")  # noqa: S108 - covered, not used
_KEPT = ("/dev", "/proc", "/sys")  # stay writable under "strict"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_DIRECTORIES = ("shm", "mqueue", "hugepages")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_HIDEPID = {"noaccess": "1", "invisible": "2", "ptraceable": "4"}  # proc(5); numbers are read by every kernel


def enter_namespace(*, is_root: bool) -> None:
    """Get a copy of all mounts; an ordinary user gets it in a user namespace, where it has its own ids and no others.

    Raises OSError: EPERM where the kernel or an administrator allows users no namespaces.
    """
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(_NEW_MOUNTS if is_root else _NEW_MOUNTS | _NEW_USERS)
    if not is_root:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", "%d %d 1" % (uid, uid)),
            ("gid_map", "%d %d 1" % (gid, gid)),
        ):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    _change("/", propagation=_SLAVE, recursive=True)


def settle() -> None:
    """Look the working directory up anew: the old one is a way into the mounts that were there before."""
    try:
        os.chdir(os.getcwd())
    except OSError:  # it is hidden
        os.chdir("/")


def resolved(path: str) -> str:
    """Return the path without symbolic links. Raises OSError(ELOOP) for a link that neither root nor we have made."""
    known, parts, links = "", [part for part in path.split("/") if part], 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            known = os.path.dirname(known).rstrip("/")
            continue
        facts = os.lstat(known + "/" + part)
        if not stat.S_ISLNK(facts.st_mode):
            known += "/" + part
            continue
        links += 1
        if facts.st_uid not in (0, os.geteuid()) or links > 40:
            raise OSError(errno.ELOOP, "a symbolic link that another user has made", known + "/" + part)
        target = os.readlink(known + "/" + part)
        known = "" if target.startswith("/") else known
        parts[:0] = [name for name in target.split("/") if name not in ("", ".")]
    return known or "/"


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _copy(path: str) -> int:
    """A detached copy of the mounts at this path and below it."""
    with _opened(path) as fd:
        return kernel.system_call("open_tree", _NR_OPEN_TREE, fd, b"", _CLONE | _ITSELF | _RECURSIVE)


def _attach(mount: int, path: str) -> None:
    """Put a detached mount on a path, and close its descriptor."""
    try:
        with _opened(path) as fd:
            kernel.system_call("move_mount", _NR_MOVE_MOUNT, mount, b"", fd, b"", _FROM_ITSELF | _TO_ITSELF)
    finally:
        os.close(mount)


def _change(where: "int | str", *, attributes: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    described = ctypes.create_string_buffer(struct.pack("=4Q", attributes, 0, propagation, 0), 32)
    fd, path = (where, b"") if isinstance(where, int) else (-100, os.fsencode(where))
    flags = (_RECURSIVE if recursive else 0) | (_ITSELF if isinstance(where, int) else 0)
    kernel.system_call("mount_setattr", _NR_MOUNT_SETATTR, fd, path, flags, described, 32)


def _made(kind: str, attributes: int, **options: str) -> int:
    """A new file system, mounted nowhere so far."""
    fd = kernel.system_call("fsopen(%s)" % kind, _NR_FSOPEN, kind.encode(), _CLOSE_ON_EXEC)
    try:
        for key, value in options.items():
            what = "fsconfig(%s=%s)" % (key, value)
            kernel.system_call(what, _NR_FSCONFIG, fd, _SET_STRING, key.encode(), value.encode(), 0)
        kernel.system_call("fsconfig", _NR_FSCONFIG, fd, _CREATE, None, None, 0)
        return kernel.system_call("fsmount", _NR_FSMOUNT, fd, _CLOSE_ON_EXEC, attributes)
    finally:
        os.close(fd)


def protect_system(how: str, root: str, writable: Iterable[str]) -> None:
    """Make the system read-only (systemd's "yes", "full" or "strict") but for the paths in `writable`, if strict.

    root: "" or the directory that becomes the root directory; how: a key of SYSTEM, or "strict".
    """
    if how != "strict":
        for name in SYSTEM[how]:
            with contextlib.suppress(FileNotFoundError):
                path = resolved(root + name)
                copy = _copy(path)
                _change(copy, attributes=READ_ONLY, recursive=True)
                _attach(copy, path)
        return
    copies: List[Tuple[str, int]] = []
    for kept in (*(root + name for name in _KEPT), *writable):
        with contextlib.suppress(FileNotFoundError):  # what is not there need not be kept
            path = resolved(kept)
            copies.append((path, _copy(path)))
    _change("/", attributes=READ_ONLY, recursive=True)
    for path, copy in sorted(copies):
        _attach(copy, path)


def private_tmp(root: str) -> None:
    """Put an empty memory file system on /tmp and on /var/tmp, of a tenth of the memory each at most."""
    for path in sorted({resolved(root + name) for name in TMP if os.path.isdir(root + name)}):
        attributes = _NO_SETUID | _NO_DEVICES
        _attach(_made("tmpfs", attributes, mode="1777", size="10%", nr_inodes="1m"), path)


def private_devices(root: str) -> None:
    """Put a /dev in place that has no devices but those of the host that every program needs, and pseudo terminals."""
    path = resolved(root + "/dev")
    copies: Dict[str, int] = {}
    links = dict(_DEVICE_LINKS)
    for name in (*_DEVICES, *_DEVICE_DIRECTORIES, "log"):
        whole = "/dev/" + name
        if os.path.islink(whole):
            links[name] = os.readlink(whole)
        elif os.path.exists(whole):
            copies[name] = _copy(whole)
    # the terminals of a new instance are this process's alone, and /dev/ptmx of the host would not find them
    copies["pts"] = _made("devpts", _NO_SETUID | _NO_PROGRAMS, ptmxmode="666", mode="620")
    new = _made("tmpfs", _NO_SETUID | _NO_PROGRAMS, mode="755", size="64k", nr_inodes="64")
    _attach(os.dup(new), path)
    for name in copies:
        if name in (*_DEVICE_DIRECTORIES, "pts"):
            os.mkdir(name, 0o755, dir_fd=new)
        else:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444, dir_fd=new))
    for name, target in links.items():
        os.symlink(target, name, dir_fd=new)
    for name, copy in copies.items():
        _attach(copy, "%s/%s" % (path, name))
    _change(new, attributes=READ_ONLY)
    os.close(new)


def protect_proc(how: str, root: str) -> None:
    """Mount /proc anew so that other users' processes are hidden in it (hidepid of proc(5), Linux 5.8)."""
    attributes = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    _attach(_made("proc", attributes, hidepid=_HIDEPID[how]), resolved(root + "/proc"))


def hide(path: str) -> None:
    """Put something on the path that nobody can open, read-only so that its owner cannot change that either."""
    path = resolved(path)
    if stat.S_ISDIR(os.lstat(path).st_mode):
        attributes = READ_ONLY | _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
        _attach(_made("tmpfs", attributes, mode="0", size="4k", nr_inodes="1"), path)
        return
    # A file can only be covered by a file of a mount that is in place: its directory is covered for a moment.
    stage = _made("tmpfs", _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS, mode="700", size="4k", nr_inodes="4")
    os.close(os.open("hidden", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0, dir_fd=stage))
    directory = os.path.dirname(path)
    with _opened(path) as covered:
        _attach(stage, directory)
        try:
            copy = _copy(directory.rstrip("/") + "/hidden")
        finally:
            kernel.unmount(directory)
        try:
            _change(copy, attributes=READ_ONLY)
            kernel.system_call("move_mount", _NR_MOVE_MOUNT, copy, b"", covered, b"", _FROM_ITSELF | _TO_ITSELF)
        finally:
            os.close(copy)
