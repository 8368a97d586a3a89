"""Keep-alive clients that go on in threads while a test does something to the servers, and tell what failed where.

Runs in pytest's process. Bounded: every client stops when the context ends. Each rests for a few milliseconds after an
answer: four of them still ask some hundred times a second, at any phase of what the test does, and the processors are
left to the managers and daemons that the test is about.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

HUNG_S = 40.0
REST_S = 0.01  # at most; a client that is told of the end of its connection rests no longer


@dataclass(frozen=True)
class Failure:
    """A connection that ended otherwise than announced.

    how: "closed" (end of stream), "reset", "refused", or "status N" / "body" for a wrong answer. served_by: what the
    answers on that connection said before, the pid where the application answers with it (`crashing_app`, `gated_app`);
    None when there was none yet. connection: its number among all of these clients. outstanding: a request was under
    way on it; False when the client found it closed before it sent the next one, so that no request was lost. client:
    its number.
    """

    how: str
    served_by: str | None
    connection: int
    outstanding: bool
    client: int


class Clients:
    """A context manager with `count` threads, each on a connection of its own until the server closes it.

    A connection that the server announced it would close is opened anew without a failure (RFC 9112, 9.6).
    """

    def __init__(self, port: int, count: int, path: str = "/", *, close: bool = False, rest_s: float = REST_S) -> None:
        self._port, self._path = port, path
        self._fields = {"Connection": "close"} if close else {}  # a connection for each request
        self._rest_s = rest_s
        self._stop = threading.Event()
        self._moved = threading.Condition()
        self._answers = [0] * count
        self._served_by: list[str | None] = [None] * count  # by client: who answered last on its present connection
        self._connections = 0
        self.failures: list[Failure] = []
        self._threads = [threading.Thread(target=self._go_on, args=(client,)) for client in range(count)]

    def __enter__(self) -> Clients:  # noqa: PYI034 — Self is Python 3.11
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def connections(self) -> int:
        """How many they have opened so far."""
        return self._connections

    def served_by(self) -> Counter[str]:
        """How many of the open connections each answer came from, for those that have been answered."""
        with self._moved:
            return Counter(word for word in self._served_by if word is not None)

    def wait_for_more(self, answers: int) -> None:
        """Wait until that many more requests were answered. Raises TimeoutError."""
        goal = sum(self._answers) + answers
        self._wait(lambda: sum(self._answers) >= goal, f"{answers} more answers")

    def wait_for_each(self) -> None:
        """Wait until each client has been answered once more, on the connection that it has then."""
        before = list(self._answers)
        self._wait(
            lambda: all(
                answers > earlier and word is not None
                for answers, earlier, word in zip(self._answers, before, self._served_by, strict=True)
            ),
            "an answer for each client",
        )

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._moved:
            if not self._moved.wait_for(condition, HUNG_S):
                raise TimeoutError(f"never: {what}; {self._answers}, {self.failures[-5:]}")

    def _go_on(self, client: int) -> None:
        connection: http.client.HTTPConnection | None = None
        number = 0
        dice = random.Random(client)
        while not self._stop.is_set():
            if connection is not None and _closed_by_server(connection):
                self._failed("closed", client, number, outstanding=False)
                connection.close()
                connection = None
            if connection is None:
                connection, number = self._connect(client)
            try:
                connection.request("GET", self._path, headers=self._fields)
                response = connection.getresponse()
                body = response.read()
            except (http.client.RemoteDisconnected, http.client.IncompleteRead):
                self._failed("closed", client, number)
            except ConnectionError as error:
                self._failed("refused" if isinstance(error, ConnectionRefusedError) else "reset", client, number)
            else:
                if response.status != http.client.OK or not body:
                    self._failed(f"status {response.status}" if body else "body", client, number)
                self._answered(client, body)
                if not response.will_close:
                    select.select([connection.sock], [], [], dice.uniform(0, self._rest_s))
                    continue
                self._stop.wait(dice.uniform(0, self._rest_s))
            connection.close()
            connection = None
        if connection is not None:
            connection.close()

    def _connect(self, client: int) -> tuple[http.client.HTTPConnection, int]:
        with self._moved:
            self._connections += 1
            self._served_by[client] = None
            number = self._connections
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=HUNG_S), number

    def _answered(self, client: int, body: bytes) -> None:
        with self._moved:
            self._answers[client] += 1
            self._served_by[client] = body.decode("latin-1")
            self._moved.notify_all()

    def _failed(self, how: str, client: int, connection: int, *, outstanding: bool = True) -> None:
        with self._moved:
            self.failures.append(Failure(how, self._served_by[client], connection, outstanding, client))
            self._served_by[client] = None


def _closed_by_server(connection: http.client.HTTPConnection) -> bool:
    """Tell whether the end of the stream has come already: whoever sends on it then asks nobody."""
    if connection.sock is None or not select.select([connection.sock], [], [], 0)[0]:
        return False
    try:
        return not connection.sock.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True


class BackgroundGet:
    """One request in a thread; calling the object waits for (status, body), or None when the connection broke."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._answer: tuple[int, bytes] | None = None
        self._thread = threading.Thread(target=self._get)

    def __enter__(self) -> BackgroundGet:  # noqa: PYI034 — Self is Python 3.11
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(HUNG_S)

    def __call__(self) -> tuple[int, bytes] | None:
        self._thread.join(HUNG_S)
        assert not self._thread.is_alive(), "no answer and no end"
        return self._answer

    def _get(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=HUNG_S)
        try:
            connection.request("GET", self._path)
            response = connection.getresponse()
            self._answer = response.status, response.read()
        except (http.client.HTTPException, ConnectionError):
            self._answer = None
        finally:
            connection.close()


@contextlib.contextmanager
def kept_alive(ask: Callable[[], object]) -> Iterator[None]:
    """Ask on a connection, twice a second, while the block goes on: who says nothing for 5 s is let go."""
    enough = threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def go_on() -> None:
            while not enough.wait(0.5):
                ask()

        asking = pool.submit(go_on)
        try:
            yield
        finally:
            enough.set()
        asking.result(HUNG_S)
