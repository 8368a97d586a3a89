"""What the files of an application are: names and digests of their contents, bounded, without following links.

A file whose size, times and inode are those of the last look is not read again. Standard library only: the launcher
does this as a tenant, the manager does it itself where nobody else can change what is looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAXIMUM_FILES = 10_000
MAXIMUM_ENTRIES = 50_000  # names that are looked at, whether or not they are code
MAXIMUM_READ_BYTES = 256 * 1024 * 1024
TIMEOUT_S = 8.0
_CHUNK_BYTES = 1024 * 1024
_DIGEST_BYTES = 12
_FRESH_NS = 50_000_000

# What an application writes while it runs, and what the interpreter makes of sources, is no code.
_LEFT_OUT = re.compile(
    r"\.(pyc|pyo|log|pid|lock|sock|swp|tmp|bak|sqlite3?|db)$|~$|-(journal|wal|shm)$", re.IGNORECASE | re.ASCII
)
_CODE = re.compile(r"\.(py|pyx|so|html?|jinja2?|j2|mako|mo)$", re.IGNORECASE | re.ASCII)
_LEFT_OUT_DIRECTORIES = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_INSTALLED = re.compile(r"\.(dist-info|egg-info|pth|egg-link)$", re.ASCII)
_RECORDS = ("RECORD", "METADATA", "PKG-INFO")

Known = dict[str, tuple[int, int, int, int, str]]  # path → mtime_ns, ctime_ns, size, inode, digest


class ForeignError(Exception):
    """Somebody else than root could change what root was to look at; the text is where."""


class BoundedError(Exception):
    """There is more than may be looked at; the text is of what."""


@dataclass
class Scan:
    """One scan. known: of the last one; root_alone: raise ForeignError in a directory that is not root's alone."""

    known: Known
    root_alone: bool = False
    seen: Known = field(default_factory=dict)
    _files: int = 0
    _entries: int = 0
    _read_bytes: int = 0
    _until: float = 0.0

    def run(self, order: Mapping[str, Any]) -> tuple[dict[str, str], str]:
        """Return the digests by name, and where a bound was reached: what comes after it has not been looked at.

        order: what ("tree": a file, or all of a directory; "code": what of it looks like code; "package": the first
        with this name in these directories; "installed": distributions) and path, or package and directories.
        Raises ForeignError; TimeoutError when it takes too long.
        """
        self._files = self._entries = self._read_bytes = 0
        self._until = time.monotonic() + TIMEOUT_S
        found: dict[str, str] = {}
        try:
            found.update(self._look(order))  # what came before a bound stays
        except BoundedError as bound:
            return found, str(bound)
        return found, ""

    def _look(self, order: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        what = order["what"]
        if what == "installed":
            yield from self._installed(order["path"])
        elif what == "package":
            yield from self._package(order["package"], order["directories"])
        elif os.path.isdir(order["path"]):
            yield from self._tree(order["path"], code_only=what == "code")
        else:
            yield from self._named(order["path"])

    def _named(self, path: str) -> Iterator[tuple[str, str]]:
        """One file that the configuration names: links to it are followed."""
        with contextlib.suppress(OSError):
            fd = os.open(os.path.realpath(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                digest = self._digest(path, os.fstat(fd), fd)
            finally:
                os.close(fd)
            if digest:
                yield path, digest

    def _package(self, name: str, directories: Sequence[str]) -> Iterator[tuple[str, str]]:
        """A top-level package or module, where it is found first."""
        for directory in directories:
            place = os.path.join(directory, name)
            if os.path.isdir(place):
                yield from self._tree(place, code_only=False)
                return
            if os.path.isfile(f"{place}.py"):
                yield from self._named(f"{place}.py")
                return

    def _installed(self, directory: str) -> Iterator[tuple[str, str]]:
        """Distributions: the record of each has the digests of all its files (PEP 376)."""
        try:
            fd = self._open_directory(os.path.realpath(directory))
        except OSError:
            return
        try:
            for name in sorted(os.listdir(fd)):
                self._count_entry(directory)
                if not _INSTALLED.search(name):
                    continue
                place = os.path.join(directory, name)
                if os.path.isdir(place):
                    os.close(self._open_directory(os.path.realpath(place)))
                    records = (os.path.join(place, record) for record in _RECORDS)
                    place = next((record for record in records if os.path.isfile(record)), "")
                if place:
                    yield from self._named(place)
        except OSError:
            return  # of a distribution that is removed just now
        finally:
            os.close(fd)

    def _tree(self, top: str, *, code_only: bool) -> Iterator[tuple[str, str]]:
        waiting = [top]
        while waiting:
            place = waiting.pop()
            try:
                # the top may be a link, as that of a release is; below it no link is followed
                fd = self._open_directory(os.path.realpath(place) if place == top else place)
            except OSError:
                continue  # gone, or not for this user's eyes: his processes do not see it either
            try:
                names = sorted(os.listdir(fd))
                if place != top and "pyvenv.cfg" in names:
                    continue  # an environment: its distributions are looked at by themselves
                below = []
                for name in names:
                    self._count_entry(top)
                    if name.startswith("."):
                        continue
                    try:
                        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    except OSError:
                        continue
                    path = os.path.join(place, name)
                    if stat.S_ISDIR(found.st_mode):
                        if name not in _LEFT_OUT_DIRECTORIES:
                            below.append(path)
                    elif stat.S_ISREG(found.st_mode):
                        if _CODE.search(name) if code_only else not _LEFT_OUT.search(name):
                            digest = self._entry(path, name, fd, found)
                            if digest:
                                yield path, digest
                    elif stat.S_ISLNK(found.st_mode) and not code_only:
                        with contextlib.suppress(OSError):
                            yield path, f"link to {os.readlink(name, dir_fd=fd)}"
                waiting += reversed(below)
            finally:
                os.close(fd)

    def _entry(self, path: str, name: str, directory: int, found: os.stat_result) -> str:
        known = self._known(path, found)
        if known:
            return known
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
            fd = os.open(name, flags, dir_fd=directory)
        except OSError:
            return ""
        try:
            return self._digest(path, os.fstat(fd), fd)
        finally:
            os.close(fd)

    def _known(self, path: str, found: os.stat_result) -> str:
        known = self.seen.get(path) or self.known.get(path)
        if known is None or tuple(known[:4]) != _marks(found):
            return ""
        self._count_file(path)
        self.seen[path] = known
        return known[4]

    def _digest(self, path: str, found: os.stat_result, fd: int) -> str:
        """Read a file, unless it is as it was. "" for what is no file."""
        if not stat.S_ISREG(found.st_mode):
            return ""
        known = self._known(path, found)
        if known:
            return known
        self._count_file(path)
        if self._read_bytes + found.st_size > MAXIMUM_READ_BYTES:
            raise BoundedError(f"more than {MAXIMUM_READ_BYTES // 2**20} MiB at {path}")
        hashed = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        left_bytes = found.st_size  # of one that grows, what is there now
        while left_bytes > 0:
            data = os.read(fd, min(left_bytes, _CHUNK_BYTES))
            if not data:
                break
            hashed.update(data)
            left_bytes -= len(data)
            self._check_time()
        self._read_bytes += found.st_size
        # one that has changed in this moment could change again without its times telling (they are as coarse as the
        # kernel's tick): it is read again the next time
        if time.time_ns() - found.st_ctime_ns > _FRESH_NS:
            self.seen[path] = (*_marks(found), hashed.hexdigest())
        return hashed.hexdigest()

    def _open_directory(self, path: str) -> int:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(fd)
        if self.root_alone and (found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            os.close(fd)
            raise ForeignError(path)
        return fd

    def _count_file(self, path: str) -> None:
        self._files += 1
        if self._files > MAXIMUM_FILES:
            raise BoundedError(f"more than {MAXIMUM_FILES:,} files at {path}")
        self._check_time()

    def _count_entry(self, path: str) -> None:
        self._entries += 1
        if self._entries > MAXIMUM_ENTRIES:
            raise BoundedError(f"more than {MAXIMUM_ENTRIES:,} names in {path}")

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise TimeoutError(f"it takes more than {TIMEOUT_S:g} s")


def _marks(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out several orders: {orders, known} to {answers: [{files, bounded}], seen}. For the launcher."""
    scan = Scan({path: tuple(item) for path, item in question["known"].items()})
    answers: list[dict[str, Any]] = []
    for order in question["orders"]:
        try:
            files, bounded = scan.run(order)
        except TimeoutError as error:
            answers.append({"error": str(error)})
        else:
            answers.append({"files": files, "bounded": bounded})
    return {"answers": answers, "seen": scan.seen}
