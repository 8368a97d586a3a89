"""The load of a drill: clients that ask again and again, and what became of each request.

Runs in the command's process, in a thread for each client. Half of the clients keep their connections, as browsers and
proxies do, and look whether they are still open before they ask; the others connect for each request.
"""

from __future__ import annotations

import http.client
import random
import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.runtime.text import clean
from wsgigroups.runtime.wire.rights import take_rights

if TYPE_CHECKING:
    from wsgigroups.config.addresses import Address

THINK_S = (0.001, 0.03)  # between the requests of a client
SLOW_THINK_S = (0.5, 4.5)  # of every fourth that keeps its connection: longer than a process takes to be replaced
ANSWER_TIMEOUT_S = 30.0
_READ_BYTES = 65536
_LOSSES = 20  # that are told one by one
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where wildcards are reached


@dataclass(slots=True)
class Phase:
    """What happened while one thing was done to the group. Times in seconds."""

    name: str
    sent: int = 0
    lost: int = 0
    repeated: int = 0  # cut off by a crash and answered at the second attempt
    closed: int = 0  # kept connections that ended unannounced, between requests
    times: list[float] = field(default_factory=list)  # of the answers

    @property
    def answered(self) -> int:
        """Requests that were answered whole."""
        return len(self.times)

    def quantile(self, part: float) -> float:
        """The time within which that part of the answers came; 0 without any."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


class _Connection(http.client.HTTPConnection):
    """To one address, TCP or UNIX."""

    def __init__(self, address: Address) -> None:
        super().__init__("localhost", timeout=ANSWER_TIMEOUT_S)
        self._address = address

    def connect(self) -> None:
        address = self._address
        if address.path is not None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            take_rights(self.sock, take=False)
            self.sock.connect(address.path)
            return
        host = address.host or ""
        self.sock = socket.create_connection((_LOOPBACK.get(host, host), address.port or 0), self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def has_ended(self) -> bool:
        """Whether the other side has closed it, or said something that nobody asked for."""
        return self.sock is not None and bool(select.select([self.sock], [], [], 0)[0])


def _read_away(response: http.client.HTTPResponse) -> None:
    """Read an answer to its end and keep nothing of it. Raises OSError, HTTPException for one that has none."""
    until = time.monotonic() + ANSWER_TIMEOUT_S
    while response.read(_READ_BYTES):
        if time.monotonic() > until:
            raise TimeoutError(f"the answer has no end within {ANSWER_TIMEOUT_S:g} s")
    if response.length:  # read(amt) does not tell of it
        raise http.client.IncompleteRead(b"", response.length)


class Load:
    """A context manager: asks while it is open. `phase` begins the next one, and the first one before that."""

    def __init__(self, address: Address, path: str, host: str, clients: int) -> None:
        self.phases: list[Phase] = []
        self.losses: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._address, self._path, self._host = address, path, host
        self._expected: set[int] | None = None  # statuses of 500 and more that are the application's: seen in quiet
        self._repeats = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self) -> Load:  # noqa: PYI034 - Self is Python 3.11
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        until = time.monotonic() + ANSWER_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))  # who answers decides how long that takes

    def ask_once(self) -> str:
        """Ask once, before it begins; why there is no answer, or ""."""
        return self._try(_Connection(self._address), keeps=False)

    def phase(self, name: str, *, repeats: bool = False) -> Phase:
        """Count for a new phase from now on. repeats: what is cut off is asked once more (RFC 9110, 9.2.2)."""
        with self._lock:
            if len(self.phases) == 1:
                self._expected = {status for status in self.statuses if status >= 500}
            self._repeats = repeats
            self.phases.append(Phase(name))
            return self.phases[-1]

    @property
    def sent(self) -> int:
        """Requests so far."""
        return sum(phase.sent for phase in self.phases)

    def _go_on(self, number: int) -> None:
        pick = random.Random(number)  # noqa: S311 - pauses, the same in each drill
        keeps = number % 2 == 0
        think_s = SLOW_THINK_S if number % 8 == 6 else THINK_S
        connection = _Connection(self._address)
        while not self._stop.is_set():
            if connection.has_ended:
                connection.close()
                with self._lock:
                    self.phases[-1].closed += 1
            self._ask(connection, keeps=keeps, repeats=self._repeats)
            self._stop.wait(pick.uniform(*think_s))
        connection.close()

    def _ask(self, connection: _Connection, *, keeps: bool, repeats: bool) -> None:
        """Ask, and count it in the phase in which it ends. repeats: of the phase in which it begins."""
        began_s = time.monotonic()
        why = self._try(connection, keeps=keeps)
        repeated = bool(why) and (repeats or self._repeats)
        if repeated:
            why = self._try(connection, keeps=keeps)
        took_s = time.monotonic() - began_s
        with self._lock:
            phase = self.phases[-1]
            phase.sent += 1
            phase.repeated += repeated
            if why:
                phase.lost += 1
                if len(self.losses) < _LOSSES:
                    self.losses.append(f"{phase.name}: {why}, after {took_s:.3f} s")
            else:
                phase.times.append(took_s)

    def _try(self, connection: _Connection, *, keeps: bool) -> str:
        """Ask once; why there is no good answer, or ""."""
        headers = {"Host": self._host, "User-Agent": "wsgigroups-drill"}
        if not keeps:
            headers["Connection"] = "close"
        try:
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            _read_away(response)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return clean(f"{type(error).__name__}: {error}")  # which may be what the application has sent
        if response.will_close or not keeps:
            connection.close()
        with self._lock:
            self.statuses[response.status] += 1
            if response.status >= 500 and self._expected is not None and response.status not in self._expected:
                return f"answered {response.status}"
        return ""
