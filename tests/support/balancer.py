"""A balancer and its clients: it asks each backend's /readyz, and sends nothing more to one that says no.

Runs in pytest's process. Bounded: all threads stop when the context ends. Each client has a connection of its own to
each backend, as a proxy keeps them, and heeds `Connection: close`.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

LOOK_S = 0.02
HUNG_S = 40.0
REST_S = 0.005


@dataclass(eq=False)
class Backend:
    """One manager: where its group and its probes answer. check_s: a check that takes longer has failed."""

    port: int
    health_port: int
    host: str = "127.0.0.1"
    check_s: float = HUNG_S
    takes: bool = False  # requests are sent to it
    left: int = 0  # how often it has been taken out
    underway: int = 0
    kept: dict[int, http.client.HTTPConnection] = field(default_factory=dict)  # by client

    def ready(self) -> bool:
        """Ask it whether requests should be sent to it."""
        return probe(self.health_port, "/readyz", self.host, self.check_s) == 200


def probe(port: int, path: str, host: str = "127.0.0.1", timeout_s: float = HUNG_S) -> int:
    """The status of a probe; 0: nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


class Balancer:
    """A context manager with `count` clients that ask one request after the other; `lost` says what failed.

    rest_s: between two requests of a client; look_s: between two checks of a backend, so late it may hear of its end.
    """

    def __init__(
        self, backends: list[Backend], count: int, path: str = "/", rest_s: float = REST_S, look_s: float = LOOK_S
    ) -> None:
        self.backends = backends
        self.lost: list[str] = []
        self.answers = 0
        self._path, self._rest_s, self._look_s = path, rest_s, look_s
        self._stop = threading.Event()
        self._moved = threading.Condition()
        self._threads = [threading.Thread(target=self._watch, args=(backend,)) for backend in backends]
        self._threads += [threading.Thread(target=self._ask, args=(client,)) for client in range(count)]

    def __enter__(self) -> Balancer:  # noqa: PYI034 — Self is Python 3.11
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with self._moved:
            self._moved.notify_all()
        for thread in self._threads:
            thread.join()
        for backend in self.backends:
            for connection in backend.kept.values():
                connection.close()

    def wait(self, fact: Callable[[], bool], what: str) -> None:
        """Wait until something is so. Raises TimeoutError."""
        with self._moved:
            if not self._moved.wait_for(fact, HUNG_S):
                raise TimeoutError(f"never: {what}; {self.answers} answers, lost: {self.lost[-5:]}")

    def wait_for_more(self, answers: int) -> None:
        """Wait until so many more requests were answered. Raises TimeoutError."""
        goal = self.answers + answers
        self.wait(lambda: self.answers >= goal, f"{answers} more answers")

    def wait_until_left(self, backend: Backend) -> None:
        """Wait until nothing is sent to a backend any more, and all that was is answered. Raises TimeoutError."""
        self.wait(lambda: not (backend.takes or backend.underway), f"{backend.host}:{backend.port} has nothing to do")

    def summary(self) -> Counter[str]:
        """How often what was lost, by its kind."""
        return Counter(text.partition(":")[0] for text in self.lost)

    def _watch(self, backend: Backend) -> None:
        while not self._stop.is_set():
            ready = backend.ready()
            with self._moved:
                if backend.takes and not ready:
                    backend.left += 1
                backend.takes = ready
                self._moved.notify_all()
            self._stop.wait(self._look_s)

    @contextlib.contextmanager
    def _chosen(self, client: int) -> Iterator[Backend | None]:
        """The backend for the next request of a client; None when there is none."""
        with self._moved:
            able = [backend for backend in self.backends if backend.takes]
            chosen = able[(client + self.answers) % len(able)] if able else None
            if chosen is not None:
                chosen.underway += 1
            for backend in self.backends:
                if not backend.takes and client in backend.kept:
                    backend.kept.pop(client).close()
        try:
            yield chosen
        finally:
            with self._moved:
                if chosen is not None:
                    chosen.underway -= 1
                    self.answers += 1
                self._moved.notify_all()

    def _ask(self, client: int) -> None:
        while not self._stop.is_set():
            with self._chosen(client) as backend:
                if backend is not None:
                    self._exchange(client, backend)
            self._stop.wait(self._rest_s)

    def _exchange(self, client: int, backend: Backend) -> None:
        """One request, on the connection that the client has kept, or another one."""
        connection = backend.kept.pop(client, None)
        kept = connection is not None
        if connection is None:
            connection = http.client.HTTPConnection(backend.host, backend.port, timeout=HUNG_S)
        try:
            connection.request("GET", self._path)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.lost.append(f"{type(error).__name__}: {backend.host}:{backend.port}, kept {kept}: {error}")
            return
        if response.status != 200:
            self.lost.append(f"status {response.status}: {backend.host}:{backend.port}, kept {kept}")
        if response.will_close:
            connection.close()
        else:
            backend.kept[client] = connection
