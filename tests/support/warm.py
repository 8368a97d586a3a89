"""Commands and managers without the time that their imports take: forked from a process that has done them.

Runs in pytest's process, whose child that process is; there is one for all tests.
"""

from __future__ import annotations

import atexit
import io
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from support.warm_program import Order, Started

PROGRAM = Path(__file__).with_name("warm_program.py")
_OF_TERMINALS = ("COLUMNS", "LINES")  # what is printed goes to none, whatever size one has that the tests run in


def surroundings() -> dict[str, str]:
    """The variables that commands get."""
    return {name: value for name, value in os.environ.items() if name not in _OF_TERMINALS}


def _lasting() -> dict[str, str]:
    return {name: value for name, value in surroundings().items() if name != "PYTEST_CURRENT_TEST"}


@dataclass
class Warm:
    """The process that forks, and what takes orders for it."""

    giver: socket.socket
    process: subprocess.Popen[bytes]
    lasting: dict[str, str] = field(default_factory=_lasting)

    @classmethod
    def start(cls) -> Warm:
        """Start it. It imports while the caller goes on, and ends when the caller does."""
        taker, giver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with taker:
            ends = (taker.fileno(), giver.fileno())
            process = subprocess.Popen(
                [sys.executable, "-I", str(PROGRAM), *map(str, ends)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=ends, cwd="/",
            )  # fmt: skip
        return cls(giver, process)

    def fits(self) -> bool:
        """Whether what is started now would have imported the same: some modules look at variables."""
        return self.lasting == _lasting()

    def run(
        self,
        arguments: Sequence[str],
        timeout_s: float,
        directory: Path | None = None,
        binds: Sequence[tuple[str, str]] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of `wsgigroups` to its end. Raises subprocess.TimeoutExpired. binds: of accounts."""
        until = time.monotonic() + timeout_s
        with ExitStack() as stack:
            read_ends, write_ends = [], []
            for _ in ("stdout", "stderr"):
                read_end, write_end = os.pipe()
                read_ends.append(stack.enter_context(open(read_end, "rb", buffering=0)))
                write_ends.append(stack.enter_context(open(write_end, "wb", buffering=0)))
            nothing = stack.enter_context(open(os.devnull, "rb"))
            order = Order(arguments, surroundings(), str(directory or Path.cwd()), (0, 1, 2), binds=binds)
            started = Started(self.giver, order, (nothing.fileno(), *(end.fileno() for end in write_ends)))
            for end in write_ends:
                end.close()
            try:
                said = _read_all(read_ends, until)
                code = started.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
                raise
        return subprocess.CompletedProcess(["wsgigroups", *arguments], code, *said)

    def end(self) -> None:
        """End it."""
        self.giver.close()
        self.process.kill()
        self.process.wait()


def _read_all(ends: Sequence[io.RawIOBase], until: float) -> list[str]:
    """Read pipes to their ends."""
    said = dict.fromkeys(ends, b"")
    with selectors.DefaultSelector() as selector:
        for end in ends:
            selector.register(end, selectors.EVENT_READ, end)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired("wsgigroups", 0.0)
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                said[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)
    return [io.TextIOWrapper(io.BytesIO(data)).read() for data in said.values()]


_at_hand: list[Warm] = []


def warm() -> Warm:
    """The one of this process, which ends with it; another one where that has ended."""
    if not _at_hand or _at_hand[-1].process.poll() is not None:
        _at_hand.append(Warm.start())
        atexit.register(_at_hand[-1].end)
    return _at_hand[-1]


def warm_for(request: pytest.FixtureRequest) -> Warm | None:
    """The same; None for a test marked `cold`, and for one that measures time."""
    return None if any(request.node.get_closest_marker(name) for name in ("cold", "measured")) else warm()


def below(*, recursive: bool = True) -> list[psutil.Process]:
    """The processes that tests have started, and what they have left to this one: all below it but what forks them."""
    forking = {each.process.pid for each in _at_hand}
    return [each for each in psutil.Process().children(recursive=recursive) if each.pid not in forking]
