"""A small file system that a test fills: a tmpfs of a mount namespace in which the manager is started.

Runs in pytest's process, which looks into the other namespace by /proc/PID/root. Root's tests only; nothing on the
machine is changed, and the file system goes with the last process in it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from support.manager import ManagerUnderTest

OPTIONS = "size=128k,nr_inodes=32,mode=755"  # what two revisions take, and a little more


class Cramped(ManagerUnderTest):
    """Its state and a directory `spool` are on such a file system; groups may have their logs there."""

    def command(self, *arguments: str) -> list[str]:
        """The command line; of a manager, one that makes the file system first."""
        self.disk = self.base / "disk"
        self.state_dir = self.disk / "state"
        self.disk.mkdir(exist_ok=True)
        command = super().command(*arguments)
        if arguments[:1] != ("run",):
            return command
        script = f'mount -t tmpfs -o {OPTIONS} tmpfs {self.disk} && mkdir -m 1777 {self.disk}/spool && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", *command]

    def seen(self, path: Path) -> Path:
        """A path below the file system, as this process can open it."""
        return Path(f"/proc/{self.manager_pid}/root{path}")

    def fill(self) -> None:
        """Leave no byte and no inode."""
        directory = self.seen(self.disk)
        fd = os.open(directory / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while os.write(fd, b"x" * size):
                        pass
        finally:
            os.close(fd)
        for number in range(100):
            with contextlib.suppress(OSError):
                (directory / f"filler-{number}").touch()
        assert os.statvfs(directory).f_ffree == 0

    def empty(self) -> None:
        """Take away again what filled it."""
        for path in self.seen(self.disk).glob("filler*"):
            path.unlink()
