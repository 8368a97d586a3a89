"""Script files: opened once, checked on the opened file, compiled from its bytes, run as a module of their own.

Runs in the daemon's main thread, or with load = "lazy" in a request thread. Must never run a byte of a file whose
owner the configuration does not allow.
"""

from __future__ import annotations

import importlib.util
import io
import stat
import sys
import types
from typing import Dict, Optional, Tuple

from ..originals import Lock, LockType, os
from .failure import StepError
from .target import Application, Attribute, failed_in, find, parse_attribute

_STEP = "import"
_locks: Dict[str, LockType] = {}  # by module: a script that several mounts name is run once
_locks_lock = Lock()
Version = Tuple[int, int, int]  # mtime in ns, size, inode: another one is another script


class ForbiddenError(Exception):
    """The script-user or script-group test that failed, as a sentence."""


class ScriptRules:
    """Whose script files may run: numbers or None, at most one of them set. May be changed while requests run."""

    def __init__(self, user: Optional[int], group: Optional[int]) -> None:
        self.user = user
        self.group = group

    @property
    def exist(self) -> bool:
        """Whether there is anything to test."""
        return self.user is not None or self.group is not None

    def test(self, what: str, found: os.stat_result) -> None:
        """Test one file or directory. Raises ForbiddenError."""
        mode = stat.S_IMODE(found.st_mode)
        if self.user is not None:
            if found.st_uid != self.user:
                raise ForbiddenError("%s belongs to uid %d, script-user is %d" % (what, found.st_uid, self.user))
            if mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ForbiddenError("%s is writable by others than its owner (mode %04o)" % (what, mode))
        if self.group is not None:
            if found.st_gid != self.group:
                raise ForbiddenError("%s belongs to gid %d, script-group is %d" % (what, found.st_gid, self.group))
            if mode & stat.S_IWOTH:
                raise ForbiddenError("%s is writable by everybody (mode %04o)" % (what, mode))


def open_checked(path: str, rules: ScriptRules) -> int:
    """Open the script after testing it and its directory. Raises ForbiddenError, OSError.

    The directory is opened first and the file in it by its name, so that what was tested is what is read.
    """
    directory, name = os.path.split(os.path.abspath(path))
    directory_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if rules.exist:
            rules.test("the directory %s" % directory, os.fstat(directory_fd))
        # O_NONBLOCK: opening a FIFO must not wait for a writer; it means nothing for a regular file.
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory_fd)
    finally:
        os.close(directory_fd)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is not a regular file")  # noqa: TRY301 - closed below like the others
        if rules.exist:
            rules.test("the file %s" % path, found)
    except BaseException:
        os.close(fd)
        raise
    return fd


def check(path: str, rules: ScriptRules) -> None:
    """Test without reading. Raises ForbiddenError, OSError."""
    os.close(open_checked(path, rules))


def version(path: str) -> Optional[Version]:
    """Return what changes when the script is written anew; None when it cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def module_name(path: str) -> str:
    """Return the script's name in sys.modules: stable for a path, different for each."""
    return "_wsgigroups_" + importlib.util.source_hash(os.path.abspath(path).encode("utf-8", "surrogateescape")).hex()


def load_script(path: str, callable_object: str, rules: ScriptRules) -> Application:
    """Compile and run the file, once in a process, and find its callable. Raises StepError("import"), ForbiddenError.

    A file that does not load, or has not this callable, is run anew at the next try.
    """
    attribute = parse_attribute(callable_object)
    name = module_name(path)
    with _locks_lock:
        lock = _locks.setdefault(name, Lock())
    with lock:
        if name in sys.modules:  # another callable of it is loaded
            check(path, rules)
            return find(sys.modules[name], attribute, path)
        return _run(path, name, attribute, rules)


def _run(path: str, name: str, attribute: Attribute, rules: ScriptRules) -> Application:
    try:
        with io.FileIO(open_checked(path, rules)) as file:
            modified_ns = os.fstat(file.fileno()).st_mtime_ns
            source = file.read()
    except OSError as error:
        raise StepError(_STEP, "cannot open the script %s: %s" % (path, error)) from error
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - what a script is for
    except BaseException as error:
        sys.modules.pop(name, None)  # the next try starts anew
        raise failed_in("load the script", path, error) from error
    vars(module)["__mtime__"] = modified_ns // 1000  # microseconds, as mod_wsgi has it
    try:
        return find(module, attribute, path)
    except StepError:
        sys.modules.pop(name, None)
        raise
