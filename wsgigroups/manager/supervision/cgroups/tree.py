"""The cgroups of one run directory: `wsgigroups-RUN/GROUP/SLOT.LIFE`, and `wsgigroups-RUN/_spawners/KEY.N`.

Makes, fills, limits, kills and removes them.

Runs in the manager's only thread. What the kernel refuses is an OSError for whoever asked. The directories belong to
the manager's user, so that a group of another user can neither leave its cgroup nor change its limits.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.cgroups.hierarchy import path_of
from wsgigroups.manager.supervision.cgroups.settings import controllers, read_events, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsgigroups.plan.desired import CgroupTarget

PREFIX = "wsgigroups-"
SPAWNERS = "_spawners"  # in the tree, beside the groups: none has that name
_LEAF = ".manager"  # behind the tree's name: where the manager goes when its own cgroup may hold no process
_ROOM_ROUNDS = 5
_KILL_ROUNDS = 20  # where the kernel has no cgroup.kill


@dataclass(frozen=True, slots=True)
class LifeCgroup:
    """The cgroup of one life, or of one spawner that is a user's."""

    directory: Path

    def enter(self, pid: int, pidfd: int) -> None:
        """Put a process in, by its number. Raises OSError, ProcessLookupError when it is not that process any more.

        The number is that of the pidfd for as long as nobody has reaped it. Should that happen just now, whoever has
        the number next is let out again.
        """
        if pid_of(pidfd) != pid:
            raise ProcessLookupError(errno.ESRCH, "the process has ended")
        _write(self.directory / "cgroup.procs", str(pid))
        if pid_of(pidfd) != pid:
            for stranger in self.pids():
                with contextlib.suppress(OSError):
                    _write(self.directory.parents[2] / "cgroup.procs", str(stranger))
            raise ProcessLookupError(errno.ESRCH, "the process has ended")

    def pids(self) -> list[int]:
        """Return the processes in it and in cgroups below it."""
        found = []
        for directory, _names, _files in os.walk(self.directory):
            with contextlib.suppress(OSError):
                found += [int(line) for line in (Path(directory) / "cgroup.procs").read_text().split()]
        return [pid for pid in found if pid]  # 0: of another pid namespace

    def kill(self) -> None:
        """SIGKILL to everything in it, also to what is being forked at this moment (cgroup.kill, Linux 5.14)."""
        try:
            _write(self.directory / "cgroup.kill", "1")
        except FileNotFoundError:
            if self.directory.is_dir():
                self._kill_one_by_one()

    def remove(self) -> bool:
        """Remove it with all below; tell whether it is gone. It stays while a process in it is on its way out."""
        for directory, _names, _files in os.walk(self.directory, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        return not self.directory.exists()

    def out_of_memory_kills(self) -> int:
        """Return how often the kernel killed a process in it for want of memory; 0 without the controller."""
        try:
            return read_events((self.directory / "memory.events").read_text()).get("oom_kill", 0)
        except OSError:
            return 0

    def _kill_one_by_one(self) -> None:
        with contextlib.suppress(OSError):  # frozen processes do not fork, and die all the same
            _write(self.directory / "cgroup.freeze", "1")
        for _round in range(_KILL_ROUNDS):
            pids = self.pids()
            if not pids:
                break
            for pid in pids:
                self._kill_one(pid)
        with contextlib.suppress(OSError):
            _write(self.directory / "cgroup.freeze", "0")

    def _kill_one(self, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return
        try:
            if pid in self.pids():  # still: the descriptor is that of a process in here
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)


@dataclass(frozen=True, slots=True)
class Limited:
    """What does not hold of a group's limits: option → why. refused: by the kernel; missing: there is no such file."""

    refused: dict[str, str]
    missing: dict[str, str]


class Tree:
    """`directory` is the tree's own. Everything in it is ours."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._unavailable: dict[str, str] = {}  # controller → why it cannot be had

    def open(self) -> None:
        """Make the tree's directory. Raises OSError."""
        self.directory.mkdir(exist_ok=True)
        (self.directory / "cgroup.procs").stat()

    def life(self, group: str, slot: int, life: int) -> LifeCgroup:
        """Return the cgroup of a life, made where it is not there. Raises OSError."""
        directory = self._group(group) / f"{slot}.{life}"
        directory.mkdir(parents=True, exist_ok=True)
        return LifeCgroup(directory)

    def find(self, pid: int, group: str, slot: int, life: int) -> LifeCgroup | None:
        """Return the cgroup of a life if that is where this process is; None otherwise."""
        directory = self._group(group) / f"{slot}.{life}"
        path = path_of(pid)
        if path is None or not directory.is_dir() or not path.endswith("/".join(("", *directory.parts[-3:]))):
            return None
        return LifeCgroup(directory)

    def lives(self) -> list[LifeCgroup]:
        """Return the cgroups of all lives, of this and of former managers."""
        groups = [entry for entry in _below(self.directory) if entry.name != SPAWNERS]
        return [LifeCgroup(entry) for group in groups for entry in _below(group)]

    def spawner(self, key: str) -> LifeCgroup:
        """Return a new cgroup for a spawner of this key: what was in an earlier one may still be on its way out.

        Raises OSError.
        """
        (self.directory / SPAWNERS).mkdir(exist_ok=True)
        for number in itertools.count(1):
            directory = self.directory / SPAWNERS / f"{key}.{number}"
            with contextlib.suppress(FileExistsError):
                directory.mkdir()
                return LifeCgroup(directory)
        raise AssertionError("the numbers have an end")

    def find_spawner(self, pid: int) -> LifeCgroup | None:
        """Return the cgroup that a spawner is in, if it is one of a spawner's."""
        path = Path(path_of(pid) or "/")
        if path.parts[-3:-1] != (self.directory.name, SPAWNERS):
            return None
        directory = self.directory / SPAWNERS / path.name
        return LifeCgroup(directory) if directory.is_dir() else None

    def spawners(self) -> list[LifeCgroup]:
        """Return the cgroups of all spawners, of this and of former managers."""
        return [LifeCgroup(entry) for entry in _below(self.directory / SPAWNERS)]

    def remove_group(self, group: str) -> bool:
        """Remove a group's cgroup once no life is in it; tell whether there is none any more."""
        try:
            self._group(group).rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def close(self) -> bool:
        """Remove the tree, and go back to where the manager was; tell whether nothing is left."""
        for group in _below(self.directory):
            with contextlib.suppress(OSError):
                group.rmdir()
        with contextlib.suppress(OSError):
            self.directory.rmdir()
        if self._leaf.is_dir():  # a manager of this run directory made room, be it a former one
            self._move_back()
        return not self.directory.exists()

    # Limits

    def limit(self, group: str, target: CgroupTarget, movable: Callable[[], Iterable[int]]) -> Limited:
        """Have a group's cgroup hold these limits; return what does not hold now.

        movable: the processes that may be moved out of the manager's own cgroup, where that must be empty.
        """
        directory = self._group(group)
        try:
            directory.mkdir(exist_ok=True)
        except OSError as error:
            refused = {item.option: f"{directory}: {error.strerror}" for item in settings(target) if item.asked}
            return Limited(refused, {})
        asked = controllers(target)
        for controller in sorted(asked):
            self._enable(controller, movable)
        if "memory" in asked:  # so that memory.events tells whose process was killed
            with contextlib.suppress(OSError):
                _write(directory / "cgroup.subtree_control", "+memory")
        return self._write_all(directory, target)

    def limit_spawner(self, cgroup: LifeCgroup, target: CgroupTarget, movable: Callable[[], Iterable[int]]) -> Limited:
        """Have the cgroup of a spawner hold these limits; all else is as for a group."""
        for controller in sorted(controllers(target)):
            self._enable(controller, movable)
            with contextlib.suppress(OSError):  # it is missing then
                _write(cgroup.directory.parent / "cgroup.subtree_control", f"+{controller}")
        return self._write_all(cgroup.directory, target)

    def _write_all(self, directory: Path, target: CgroupTarget) -> Limited:
        limited = Limited({}, {})
        for setting in settings(target):
            file = directory / setting.file
            if not file.exists():
                if setting.asked:
                    limited.missing[setting.option] = self.missing(setting.controller)
                continue
            try:
                _write(file, setting.text)
            except OSError as error:
                limited.refused[setting.option] = f"{setting.text} in {file}: {error.strerror}"
        return limited

    def missing(self, controller: str) -> str:
        """Return why a controller cannot be had, a clause; "" where nothing speaks against it."""
        own = self.directory.parent
        if controller not in _words(own / "cgroup.controllers"):
            return f"the {controller} controller is not to be had in {own}"
        return self._unavailable.get(controller, "")

    def _enable(self, controller: str, movable: Callable[[], Iterable[int]]) -> None:
        """Let the groups' cgroups have a controller: it is handed down from ours to the tree and by the tree to them.

        A cgroup that hands controllers down may hold no process itself (cgroup-v2.rst, no internal process constraint;
        the root is exempt): the manager and its spawners go to a cgroup beside the tree where they stand in the way.
        """
        own = self.directory.parent
        if controller not in _words(own / "cgroup.controllers"):
            return
        try:
            if controller not in _words(self.directory / "cgroup.controllers"):
                self._hand_down(own, controller, movable)
            _write(self.directory / "cgroup.subtree_control", f"+{controller}")
        except OSError as error:
            text = "other processes are in it" if error.strerror == os.strerror(errno.EBUSY) else error.strerror
            self._unavailable[controller] = f"the {controller} controller cannot be enabled in {own}: {text}"
            return
        self._unavailable.pop(controller, None)

    def _hand_down(self, own: Path, controller: str, movable: Callable[[], Iterable[int]]) -> None:
        """Hand a controller down from ours, which must be empty before.

        Some controllers the kernel would hand down all the same: ours became a threaded domain by that, and what is
        below it could neither hold processes nor have other controllers (cgroup-v2.rst, threads).
        """
        if (own / "cgroup.type").exists():  # all but the root have it
            self._make_room(own, movable)
        _write(own / "cgroup.subtree_control", f"+{controller}")
        if "threaded" in _words(own / "cgroup.type"):  # somebody came just then
            _write(own / "cgroup.subtree_control", f"-{controller}")
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    def _make_room(self, own: Path, movable: Callable[[], Iterable[int]]) -> None:
        for _round in range(_ROOM_ROUNDS):  # whoever is forked meanwhile is found in the next
            inside = {int(pid) for pid in _words(own / "cgroup.procs")}
            if not inside:
                return
            if own.name.endswith(".service"):  # systemd could start nothing in it any more, not even the next manager
                raise OSError(errno.EBUSY, "DelegateSubgroup= of the service is needed (systemd 254)")
            ours = {os.getpid(), *movable()}
            if inside - ours:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            self._leaf.mkdir(exist_ok=True)
            for pid in sorted(inside):
                with contextlib.suppress(ProcessLookupError):
                    _write(self._leaf / "cgroup.procs", str(pid))

    def _move_back(self) -> None:
        own, leaf = self.directory.parent, self._leaf
        with contextlib.suppress(OSError):
            for controller in _words(own / "cgroup.subtree_control"):
                _write(own / "cgroup.subtree_control", f"-{controller}")
            for pid in _words(leaf / "cgroup.procs"):
                _write(own / "cgroup.procs", pid)
            leaf.rmdir()

    @property
    def _leaf(self) -> Path:
        return self.directory.with_name(self.directory.name + _LEAF)

    def _group(self, name: str) -> Path:
        # all files that a kernel puts there have a dot in their names, and a group's never begins with _
        return self.directory / (f"_{name}" if "." in name else name)


def pid_of(pidfd: int) -> int:
    """Return the number of the process that a pidfd is of; -1 once it was reaped (proc(5): /proc/PID/fdinfo)."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        return next((int(line[4:]) for line in file if line.startswith("Pid:")), -1)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []


def _write(file: Path, text: str) -> None:
    """Write one value in one call, as the kernel wants it; never makes a file."""
    # O_NONBLOCK: a lower memory limit is to be kept from now on; what is above it is not waited for
    fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)


def _below(directory: Path) -> list[Path]:
    """The cgroups in it; none in one that has gone meanwhile, as all do at a shutdown."""
    try:
        return [entry for entry in directory.iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []
