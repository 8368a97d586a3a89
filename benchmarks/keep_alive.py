"""Keep-alive clients until standard input ends: `python -m benchmarks.keep_alive PORT CLIENTS`.

Each knows which process answered on its connection before, as the body of the answer says. In a process of its own:
who measures something else beside them must not wait for the interpreter that they keep busy. Prints a line once
answers come; at the end, as JSON, how many came, and for each request that got none the pid of its connection, or 0.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

BEGINS_S = 30.0


class _Clients:
    """Threads until `stop`."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._answers = 0
        self._lost: list[int] = []
        self._threads = [threading.Thread(target=self._go_on) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def begin(self) -> None:
        """Wait until as many answers have come as there are clients; end the program when they do not come."""
        until = time.monotonic() + BEGINS_S
        while self._answers < len(self._threads):
            if time.monotonic() > until:
                self.stop()
                raise SystemExit(f"{self._answers} answers within {BEGINS_S:.0f} s")
            time.sleep(0.01)

    def stop(self) -> dict[str, object]:
        """Return what is printed."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return {"answers": self._answers, "lost": self._lost}

    def _go_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        pid = 0
        while not self._over.is_set():
            try:
                connection.request("GET", "/")
                pid = int(connection.getresponse().read())
                with self._lock:
                    self._answers += 1
            except (http.client.HTTPException, OSError):
                connection.close()
                with self._lock:
                    self._lost.append(pid)
                pid = 0
        connection.close()


def main(arguments: list[str]) -> None:
    """Entry point."""
    port, count = map(int, arguments)
    clients = _Clients(port, count)
    clients.begin()
    print("begun", flush=True)
    sys.stdin.read()
    print(json.dumps(clients.stop()))


if __name__ == "__main__":
    main(sys.argv[1:])
