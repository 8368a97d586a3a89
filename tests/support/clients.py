"""Keep-alive clients that go on in threads while a test does something to the servers, and count what fails.

Runs in pytest's process. Bounded: every client stops when the context ends.
"""

from __future__ import annotations

import http.client
import threading
import time
from types import TracebackType

HUNG_S = 40.0


class Clients:
    """A context manager with `count` threads, each on a connection of its own until the server closes it.

    failures: "closed" (end of stream instead of an answer), "reset", or "status N" / "body" for a wrong answer. A
    connection that the server announced it would close is opened anew without a failure (RFC 9112, 9.6).
    """

    def __init__(self, port: int, count: int, path: str = "/") -> None:
        self._port, self._path = port, path
        self._stop = threading.Event()
        self._answered = threading.Condition()
        self._answers = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._go_on) for _ in range(count)]

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

    def wait_for_more(self, answers: int) -> None:
        """Wait until that many more requests were answered. Raises TimeoutError."""
        until = time.monotonic() + HUNG_S
        with self._answered:
            goal = self._answers + answers
            while self._answers < goal:
                if not self._answered.wait(max(0.0, until - time.monotonic())):
                    raise TimeoutError(f"{goal - self._answers} of {answers} answers are missing: {self.failures[-5:]}")

    def _go_on(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=HUNG_S)
                connection.request("GET", self._path)
                response = connection.getresponse()
                body = response.read()
            except (http.client.RemoteDisconnected, http.client.IncompleteRead):
                self._failed("closed")
            except ConnectionError:
                self._failed("reset")
            else:
                if response.status != http.client.OK or not body:
                    self._failed(f"status {response.status}" if body else "body")
                with self._answered:
                    self._answers += 1
                    self._answered.notify_all()
                if not response.will_close:
                    continue
            if connection is not None:
                connection.close()
            connection = None
        if connection is not None:
            connection.close()

    def _failed(self, how: str) -> None:
        with self._answered:
            self.failures.append(how)


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
