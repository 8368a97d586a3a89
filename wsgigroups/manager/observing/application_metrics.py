"""Directories in which the processes of a group count with prometheus_client: made, read, and cleared of the dead.

`look` and `text` run in a thread of their own, one at a time. A directory is its tenant's: what lies there is opened
without following a link, without waiting, and only if it is a small plain file of that tenant's.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from typing import TYPE_CHECKING

from wsgigroups.manager.supervision.counting import clear
from wsgigroups.metrics.multiprocess import Merged, MetricFile, file_of
from wsgigroups.targets.counting import counting_directory
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

MAXIMUM_FILES = 512  # of a group that are read at once; of more the rest waits for the dead to be cleared
MAXIMUM_BYTES = 1 << 20  # of a file
MAXIMUM_TOTAL = 16 << 20  # of a group


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


class ApplicationMetrics:
    """Of one manager. alive: whether there is a process with this number."""

    def __init__(self, run_dir: Path, is_gone: Callable[[int], bool] = _is_gone) -> None:
        self._run_dir = run_dir
        self._ended_dir = run_dir / "metrics" / "ended"
        self._is_gone = is_gone
        self._alone = threading.Lock()
        self._ended: dict[str, Merged] = {}  # what those have counted that have ended

    def text(self, group: str) -> str:
        """Return what a group has counted, as Prometheus reads it."""
        with self._alone:
            living, _dead = self._read(group)
            return self._kept(group).added(living).text()

    def look(self, groups: Collection[str]) -> None:
        """Fold in what processes have left behind that have ended, and forget groups that are not there any more."""
        with self._alone:
            for group in groups:
                self._fold(group)
            for directory in (counting_directory(self._run_dir, "-").parent, self._ended_dir):
                for name in _names(directory):
                    if name not in groups:
                        with contextlib.suppress(OSError):  # a directory that a tenant has made in it stays
                            self._forget(directory / name)
            for group in self._ended.keys() - set(groups):
                del self._ended[group]

    def close(self) -> None:
        """Remove all: nothing runs any more."""
        self.look(())
        for path in (counting_directory(self._run_dir, "-").parent, self._ended_dir, self._ended_dir.parent):
            with contextlib.suppress(OSError):
                path.rmdir()

    def _forget(self, path: Path) -> None:
        if path.parent == self._ended_dir:
            path.unlink()
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            clear(fd)
        finally:
            os.close(fd)
        path.rmdir()

    def _fold(self, group: str) -> None:
        kept = self._kept(group)
        _living, dead = self._read(group)
        if not dead:
            return
        for file, data in dead.values():
            kept.fold(file, data)
        self._store(group, kept, list(dead))
        self._remove(group, dead)

    def _kept(self, group: str) -> Merged:
        """What was folded in; of a former manager, what it had stored, without the files that it had counted."""
        known = self._ended.get(group)
        if known is not None:
            return known
        found = Merged()
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            stored = json.loads((self._ended_dir / group).read_bytes())
            found = Merged.from_json(stored["ended"])
            self._remove(group, [str(name) for name in stored["counted"]])
        self._ended[group] = found
        return found

    def _store(self, group: str, kept: Merged, counted: list[str]) -> None:
        """Before the files are removed: were this manager killed in between, the next one removes them."""
        with contextlib.suppress(OSError):  # no room: what is counted is right until this manager ends
            private_directory(str(self._ended_dir), 0o700)
            path = self._ended_dir / group
            temporary = self._ended_dir / f".{group}.new"
            temporary.write_text(json.dumps({"ended": kept.to_json(), "counted": counted}), encoding="utf-8")
            temporary.replace(path)

    def _remove(self, group: str, names: Collection[str]) -> None:
        with contextlib.suppress(OSError):
            directory = os.open(
                counting_directory(self._run_dir, group), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
            try:
                for name in names:
                    file = file_of(name)
                    if file is not None:
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(name, dir_fd=directory)
            finally:
                os.close(directory)

    def _read(self, group: str) -> tuple[Merged, dict[str, tuple[MetricFile, bytes]]]:
        """Return what living processes have counted, and the files of the others."""
        living = Merged()
        dead: dict[str, tuple[MetricFile, bytes]] = {}
        try:
            directory = os.open(
                counting_directory(self._run_dir, group), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
        except OSError:
            return living, dead
        left = MAXIMUM_TOTAL
        try:
            uid = os.fstat(directory).st_uid
            known = ((name, file) for name in sorted(os.listdir(directory)) if (file := file_of(name)))
            for _number, (name, file) in zip(range(MAXIMUM_FILES), known, strict=False):
                gone = self._is_gone(file.pid)  # before it is read: what it writes afterwards would be lost
                data = _read_file(directory, name, uid)
                left -= len(data)
                if left < 0:
                    break
                if gone:
                    dead[name] = file, data
                else:
                    living.add(file, data)
        finally:
            os.close(directory)
        return living, dead


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _read_file(directory: int, name: str, uid: int) -> bytes:
    """Return the content of a plain file of this account's; b"" for anything else."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return b""
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != uid or found.st_nlink != 1:
            return b""
        return os.pread(fd, MAXIMUM_BYTES, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)
