"""Managers in a place of the kernel's cgroup v2 hierarchy, and what its files say: for `make test-vm`.

Nobody else may use the hierarchy meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from support.tenants import Tenants

from wsgigroups.manager.supervision.cgroups.hierarchy import path_of

ROOT = Path("/sys/fs/cgroup")
DELEGATED = ROOT / "delegated"  # made for the ordinary account, its processes are in one below
CONTROLLERS = "+cpu +memory +pids"


def cgroup_of(pid: int) -> Path:
    """Where a process is."""
    path = path_of(pid)
    assert path is not None
    return ROOT / path[1:]


def value(file: Path) -> str:
    """What a file holds."""
    return file.read_text().strip()


def count(file: Path, name: str) -> int:
    """One of the counts of a file of flat keys."""
    return int(dict(line.split() for line in file.read_text().splitlines())[name])


@contextmanager
def place(name: str, controllers: str = CONTROLLERS) -> Iterator[Path]:
    """A cgroup with these controllers, as a service manager would make it; it must be removable in the end."""
    parent = ROOT if os.geteuid() == 0 else DELEGATED
    directory = parent / name
    (parent / "cgroup.subtree_control").write_text(CONTROLLERS)
    if controllers != CONTROLLERS:
        directory = parent / "narrow" / name
        directory.parent.mkdir()
        if controllers:
            (directory.parent / "cgroup.subtree_control").write_text(controllers)
    directory.mkdir()
    try:
        yield directory
    finally:
        for found in sorted(directory.rglob("*/"), reverse=True):
            if found.is_dir():
                (found / "cgroup.kill").write_text("1")
        directory.rmdir()
        if controllers != CONTROLLERS:
            directory.parent.rmdir()


class PlacedTenants(Tenants):
    """The manager is started in a cgroup; commands go on where the test is. None: where the test is."""

    place: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """The command line; of the manager in the foreground, one that joins the cgroup first."""
        command = super().command(*arguments)
        if self.place is None or arguments[:1] != ("run",):
            return command
        return ["/bin/sh", "-c", f'echo 0 > {self.place}/cgroup.procs && exec "$@"', "sh", *command]

    @contextmanager
    def running(self, text: str) -> Iterator[None]:
        """A manager in that place, with this configuration in force."""
        with self.foreground(str(self.write(text))):
            self.wait_for("it answers", self.client.running)
            self.apply(text)
            yield

    @property
    def tree(self) -> Path:
        """Where the manager has its cgroups."""
        return Path((self.run_dir / "cgroup").read_text())

    def spawner_of(self, group: str) -> int:
        """The parent of its first process."""
        return int(psutil.Process(self.pids(group)[1]).ppid())
