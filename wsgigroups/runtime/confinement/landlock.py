"""Landlock: which files a process may read and change, given up by itself and for good (landlock(7), Linux 5.13).

Landlock knows no denial, only rights below a directory. "All but this" is therefore made of rights for everything
beside it: for the entries of each directory on the way. The directories on the way have the least of what is below
them, so nothing new can be made in those directly, and what appears in them later is not covered.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from typing import Dict, Iterator, List

from .. import kernel

# The numbers are the same on every architecture.
_NR_CREATE_RULESET, _NR_ADD_RULE, _NR_RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

# <linux/landlock.h>
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 1 << 9, 1 << 10, 1 << 11, 1 << 12
REFER = 1 << 13  # to rename or link from one directory into another
TRUNCATE = 1 << 14
_READING = EXECUTE | READ_FILE | READ_DIR
_WRITING = (
    *(WRITE_FILE, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG),
    *(MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE),
)
_SINCE = {REFER: 2, TRUNCATE: 3}  # rights that came later than the first version of the interface
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE

NOTHING, READABLE, WRITABLE = 0, 1, 2  # what may be done with a path and all below it


def abi() -> int:
    """The version of the kernel's interface; 0 where there is none, or where it was switched off at boot."""
    try:
        return kernel.system_call("landlock_create_ruleset", _NR_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            return 0
        raise


def _all(rights: "tuple[int, ...]", version: int) -> int:
    return sum(right for right in rights if _SINCE.get(right, 1) <= version)


def sees_truncation(version: int) -> bool:
    """Whether files can be kept from being emptied; before, that takes a filter of system calls."""
    return version >= _SINCE[TRUNCATE]


class Ruleset:
    """Rights that are handled, which nobody has then but where a rule gives them. Close it, or enforce it."""

    def __init__(self, handled: int) -> None:
        self.handled = handled
        attributes = ctypes.create_string_buffer(struct.pack("=Q", handled), 8)
        self._fd = kernel.system_call("landlock_create_ruleset", _NR_CREATE_RULESET, attributes, 8, 0)
        os.set_inheritable(self._fd, False)

    def fileno(self) -> int:
        """Return the descriptor, to be kept over the drop of privileges."""
        return self._fd

    def allow(self, fd: int, rights: int) -> None:
        """Give rights for what this descriptor (O_PATH) stands for and all below it."""
        kind = os.fstat(fd).st_mode
        if stat.S_ISLNK(kind):
            return
        wanted = rights & self.handled & (-1 if stat.S_ISDIR(kind) else _OF_FILES)
        if wanted:
            rule = ctypes.create_string_buffer(struct.pack("=Qi", wanted, fd), 12)
            kernel.system_call("landlock_add_rule", _NR_ADD_RULE, self._fd, _RULE_PATH_BENEATH, rule, 0)

    def enforce(self) -> None:
        """Restrict this thread and what it starts. Needs no_new_privs."""
        kernel.system_call("landlock_restrict_self", _NR_RESTRICT_SELF, self._fd, 0)
        self.close()

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def fence(version: int) -> "Ruleset | None":
    """Rules that forbid nothing an ordinary process does with files, but put it into a domain of its own.

    A process cannot look into one outside its domain (ptrace(2), /proc/PID/root, cwd, fd, mem), which would be the way
    around private mounts for those who have the same user. None where even empty rules would forbid renaming.
    """
    if version < _SINCE[REFER]:
        return None
    rules = Ruleset(MAKE_BLOCK | REFER)
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        rules.allow(root, MAKE_BLOCK | REFER)
    finally:
        os.close(root)
    return rules


def rules_of(modes: Dict[str, int], version: int) -> Ruleset:
    """Make the rules for paths without symbolic links → what may be done; the longest path decides, else anything."""
    handled = _all(_WRITING, version) | (_READING if NOTHING in modes.values() else 0)
    rules = Ruleset(handled)
    try:
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            _descend(rules, root, "", modes.get("/", WRITABLE), {p: m for p, m in modes.items() if p != "/"})
        finally:
            os.close(root)
    except BaseException:
        rules.close()
        raise
    return rules


def _rights(mode: int) -> int:
    if mode == NOTHING:
        return 0
    return _READING | (sum(_WRITING) if mode == WRITABLE else 0)


def _descend(rules: Ruleset, fd: int, path: str, mode: int, modes: Dict[str, int]) -> None:
    """Give the directory `fd` at `path` ("" is /) its rights, and then to what is below it what goes beyond those."""
    below = {name: value for name, value in modes.items() if name.startswith(path + "/")}
    least = min([mode, *below.values()])
    rules.allow(fd, _rights(least))
    for name in _entries(fd) if least < mode else _first_parts(path, below):
        child = "%s/%s" % (path, name)
        try:
            entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except OSError:  # gone meanwhile, or not for this user anyway
            continue
        try:
            own = below.get(child, mode)
            if any(other.startswith(child + "/") for other in below):
                _descend(rules, entry, child, own, below)
            else:
                rules.allow(entry, _rights(own))
        finally:
            os.close(entry)


def _entries(fd: int) -> List[str]:
    try:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    except PermissionError:  # this user could not see what is in it before either
        return []
    try:
        return os.listdir(readable)
    finally:
        os.close(readable)


def _first_parts(path: str, below: Dict[str, int]) -> Iterator[str]:
    return iter({name[len(path) + 1 :].split("/", 1)[0] for name in below})
