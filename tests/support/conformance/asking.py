"""What a case may ask of a server: requests to its group, the gate that they wait at, files beside its script.

Runs in pytest's process, in a thread of its own for each case and side.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from support.gate import Gate
from support.looking import pause, wait

HUNG_S = 60.0  # only means that something hangs


@dataclass(frozen=True)
class Answer:
    """A response. status None: the connection ended without one; whole False: it ended within the body.

    fields: two of one name as one, with a bar between them.
    """

    status: int | None
    body: bytes = b""
    whole: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Status, and whether it came to its end."""
        if self.status is None:
            return "connection closed"
        return str(self.status) if self.whole else f"{self.status}, cut short"


@dataclass(frozen=True)
class Asked:
    """One side of a case. patience_s: how long a thing may take that this side does, or does not do at all."""

    address: tuple[str, int]
    prefix: str
    directory: Path
    gate: Gate
    ours: bool
    patience_s: float

    @property
    def script(self) -> Path:
        """The script file of the group."""
        return self.directory / "app.wsgi"

    @property
    def notes(self) -> Path:
        """A directory that the application may write into."""
        return self.directory / "notes"

    def get(self, path: str = "/", *, method: str = "GET", body: bytes | None = None, **fields: str) -> Answer:
        """Ask on a connection of its own, and read the answer to its end."""
        connection = http.client.HTTPConnection(*self.address, timeout=HUNG_S)
        try:
            try:
                connection.request(method, self.prefix + path, body, fields)
            except (BrokenPipeError, ConnectionResetError):  # it has answered by then
                if connection.sock is None:
                    return Answer(None)
            return _received(connection)
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """Return what a path of the application says as JSON."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer)
        return json.loads(answer.body)

    def pid(self) -> int:
        """Ask which process answers."""
        answer = self.get("/pid")
        assert answer.status == 200, answer
        return int(answer.body)

    def later(self, path: str, **more: Any) -> Later:
        """Ask in a thread."""
        return Later(lambda: self.get(path, **more))

    def held(self, path: str = "/held", **more: Any) -> tuple[Later, int]:
        """Ask in a thread for what waits at the gate; returns when it is there, with the process that it is in."""
        asked = self.later(path, **more)
        pid, _word = self.gate.wait_arrival(HUNG_S)
        return asked, pid

    @contextlib.contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """Give a bare connection."""
        with socket.create_connection(self.address, timeout=HUNG_S) as sock:
            yield sock

    def send_to_process(self, pid: int, number: signal.Signals) -> None:
        """Signal a daemon process, which one of the answers named."""
        os.kill(pid, number)

    def left(self, pid: int) -> str:
        """Wait until that process has ended, without asking for anything, and for an answer of another; say so."""
        wait(lambda: not _lives(pid), lambda: f"{self.prefix or '/'}: {pid} does not end", HUNG_S)
        return self.followed(pid)

    def followed(self, pid: int) -> str:
        """Wait until another process than this one answers; say so."""
        wait(lambda: self._other_answers(pid), lambda: f"{self.prefix or '/'}: {pid} has no successor", HUNG_S)
        return "yes"

    def loaded(self, fewest: int) -> set[int]:
        """Return the processes that have noted that they have loaded the script, once there are so many."""
        found: set[int] = set()

        def enough() -> bool:
            found.update(int(path.name.partition("-")[2]) for path in self.notes.glob("loaded-*"))
            return len(found) >= fewest

        wait(enough, lambda: f"{self.prefix or '/'}: only {found} have loaded the script", HUNG_S)
        return found

    def lives(self, pid: int) -> bool:
        """Return whether there is such a process."""
        return _lives(pid)

    def lasts(self, pid: int, seconds: float) -> bool:
        """Look for so long whether a process ends; whether it did not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and _lives(pid):
            pause()
        return _lives(pid)

    def comes(self, path: str, body: bytes) -> None:
        """Wait until this is answered: of a replacement that nobody asked for nobody is told when it is done."""
        wait(lambda: self.get(path).body == body, lambda: f"{self.prefix}{path} never is {body!r}", HUNG_S)

    def _other_answers(self, pid: int) -> bool:
        answer = self.get("/pid")
        return answer.status == 200 and int(answer.body) != pid


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Later:
    """One request in a thread of its own. took_s: how long it took, once it has an answer."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._answer: Answer | None = None
        self._ask = ask
        self.took_s = 0.0
        self._thread = threading.Thread(target=self._get, daemon=True)
        self._thread.start()

    def _get(self) -> None:
        began = time.monotonic()
        self._answer = self._ask()
        self.took_s = time.monotonic() - began

    def within(self, seconds: float) -> Answer | None:
        """Return the answer, None if none came so soon."""
        self._thread.join(seconds)
        return None if self._thread.is_alive() else self._answer

    def answer(self) -> Answer:
        """Wait for the answer."""
        found = self.within(HUNG_S)
        assert found is not None, "no answer, and no end"
        return found


def _received(connection: http.client.HTTPConnection) -> Answer:
    try:
        response = connection.getresponse()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return Answer(None)
    fields = {name: " | ".join(response.headers.get_all(name, [])) for name in response.headers}
    try:
        return Answer(response.status, response.read(), True, fields)
    except http.client.IncompleteRead as error:
        return Answer(response.status, error.partial, False, fields)
    except ConnectionResetError:
        return Answer(response.status, b"", False, fields)
