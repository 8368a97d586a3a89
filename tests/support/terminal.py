"""A real terminal: a command in tmux, what its screen shows, and keys."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.faults import outlives
from support.looking import pause

HUNG_S = 60.0


@dataclass(frozen=True)
class Terminal:
    """One tmux server with one window, at a socket of its own."""

    program: str
    socket: Path

    def screen(self) -> str:
        """What it shows, without spaces at the ends of lines."""
        lines = self._tmux("capture-pane", "-p", "-t", "0").splitlines()
        return "\n".join(line.rstrip() for line in lines)

    def press(self, *keys: str) -> None:
        """Type keys, by tmux's names for them: `Down`, `Escape`, `q`."""
        self._tmux("send-keys", "-t", "0", *keys)

    def until(self, what: str, fact: Callable[[str], object]) -> str:
        """Look until the screen is as it should be; return it."""
        until = time.monotonic() + HUNG_S
        while time.monotonic() < until:
            screen = self.screen()
            if fact(screen):
                return screen
            pause()
        raise AssertionError(f"never: {what}\n{self.screen()}")

    def _tmux(self, *arguments: str) -> str:
        command = [self.program, "-u", "-f", "/dev/null", "-S", str(self.socket), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S, check=False)
        assert done.returncode == 0, f"tmux {arguments[0]}: {done.stderr}"
        return done.stdout


@contextlib.contextmanager
def terminal(command: Sequence[str], columns: int = 100, lines: int = 30) -> Iterator[Terminal]:
    """Run a command in a terminal; when it ends, its exit code stands on the screen: `ended with 0`."""
    program = shutil.which("tmux")
    assert program, "tmux is missing: apt-get install tmux"
    with tempfile.TemporaryDirectory(prefix="wg-tmux-") as directory:
        yield from _in(Path(directory), program, command, columns, lines)


def _in(directory: Path, program: str, command: Sequence[str], columns: int, lines: int) -> Iterator[Terminal]:
    tmux = Terminal(program, directory / "tmux.sock")
    words = f"{shlex.join(command)}; echo ended with $?; exec cat"
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", "SHELL": "/bin/sh"}
    size = ("-x", str(columns), "-y", str(lines))
    subprocess.run(
        [program, "-u", "-f", "/dev/null", "-S", str(tmux.socket), "new-session", "-d", *size, "/bin/sh", "-c", words],
        env=environment, timeout=HUNG_S, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    server = int(tmux._tmux("display-message", "-p", "#{pid}"))
    try:
        yield tmux
    finally:
        tmux._tmux("kill-server")
        assert not outlives(server, HUNG_S), "tmux does not end"
