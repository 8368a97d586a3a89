"""Configurations with one site, and the client that writes down what became of each of its requests.

Runs in pytest's process. The application of `counted` is `apps/counted_app`: each call of it is a line of a file.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

from support.manager import APPS, HUNG_S, ManagerUnderTest

HOST = "www.example.org"
GATEWAY = "@gateway"


def one_site(
    manager: ManagerUnderTest,
    port: int,
    app: str,
    *,
    group: str = "",
    site: str = "",
    gateway: str = "",
    more: str = "",
) -> str:
    """Return a configuration: the group `app`, below everything of one site; lines for each of the tables."""
    return (
        f'[gateway]\n{gateway}\n[groups.app]\napp = "{app}:application"\npython-path = ["{APPS}"]\n'
        f'environment = {{ GATE_DIRECTORY = "{manager.base}", CALLS = "{manager.base}/calls" }}\n{group}\n'
        f'[sites."{HOST}"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "app"\n{site}\n'
        f'[[sites."{HOST}".mounts]]\npath = "/"\n{more}'
    )


class CountedClients:
    """A context: threads whose requests have numbers. Half of them are POST; half of the clients keep connections.

    `outcomes` says how each one ended: its status, or "lost" where the connection ended instead of an answer, or
    "refused". One that was not sent, because a kept connection had ended before, is sent on another.
    """

    def __init__(self, port: int, count: int, calls: Path) -> None:
        self.calls_file = calls
        calls.touch()
        calls.chmod(0o666)
        self.outcomes: dict[str, str] = {}
        self._port = port
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._moved = threading.Condition()
        self._threads = [threading.Thread(target=self._go_on, args=(number % 2 == 0,)) for number in range(count)]

    def __enter__(self) -> CountedClients:  # noqa: PYI034 — Self is Python 3.11
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * HUNG_S)
            assert not thread.is_alive()

    def wait_for_more(self, count: int) -> None:
        """Wait until so many more requests have ended. Raises TimeoutError."""
        goal = len(self.outcomes) + count
        with self._moved:
            if not self._moved.wait_for(lambda: len(self.outcomes) >= goal, HUNG_S):
                raise TimeoutError(f"never: {count} more; {Counter(self.outcomes.values())}")

    def executed(self) -> Counter[str]:
        """Return how often each request was executed, by its number."""
        return Counter(self.calls_file.read_text().split())

    def kinds(self) -> Counter[str]:
        """Return how many requests ended in which way."""
        return Counter(self.outcomes.values())

    def _go_on(self, keeps: bool) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=HUNG_S)) as connection:
            while not self._over.is_set():
                number = next(self._numbers)
                outcome = self._ask(connection, str(number), keeps)
                with self._moved:
                    self.outcomes[str(number)] = outcome
                    self._moved.notify_all()

    def _ask(self, connection: http.client.HTTPConnection, number: str, keeps: bool) -> str:
        headers = {"Host": HOST} if keeps else {"Host": HOST, "Connection": "close"}
        posted = int(number) % 2
        try:
            if posted:
                connection.request("POST", "/", body=number.encode(), headers=headers)
            else:
                connection.request("GET", f"/{number}", headers=headers)
            response = connection.getresponse()
            body = response.read().decode()
        except ConnectionRefusedError:
            connection.close()
            return "refused"
        except (http.client.HTTPException, OSError):
            connection.close()
            return "lost"
        if response.will_close:
            connection.close()
        if response.status != http.client.OK:
            return str(response.status)
        return "200" if body == number else f"the answer to another: {body}"
