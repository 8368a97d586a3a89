"""The test's side of `apps/gated_app`: two FIFOs in a directory, held open so that nobody blocks in open(2).

Runs in pytest's process. Waiting is select(2) on the announcements with a deadline that only means "hung".
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from types import TracebackType


class Gate:
    """A context manager; leaving it lets every waiting request go on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._descriptors: list[int] = []
        self._rest = b""
        for name in ("arrived", "release"):
            path = directory / name
            os.mkfifo(path)
            path.chmod(0o666)  # daemons of other accounts come through this gate
            self._descriptors.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    @property
    def environment(self) -> dict[str, str]:
        """What the group's `environment` needs."""
        return {"GATE_DIRECTORY": str(self.directory)}

    def __enter__(self) -> Gate:  # noqa: PYI034 — Self is Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_arrival(self, timeout_s: float = 30.0) -> tuple[int, str]:
        """Return (pid, word) of the next announcement; raise TimeoutError when none comes."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([self._descriptors[0]], [], [], left_s)[0]:
                raise TimeoutError(f"nobody arrived at the gate within {timeout_s} s")
            self._rest += os.read(self._descriptors[0], 65536)
        line, _, self._rest = self._rest.partition(b"\n")
        pid, _, word = line.decode().partition(" ")
        return int(pid), word

    def release(self, count: int = 1) -> None:
        """Let `count` waiting (or coming) requests go on."""
        os.write(self._descriptors[1], b"." * count)

    def close(self) -> None:
        """Open the gate for good: whoever waits sees end-of-file; calling it again does nothing."""
        while self._descriptors:
            os.close(self._descriptors.pop())
