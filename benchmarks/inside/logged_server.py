"""One process of wsgigroups' server whose access log is switched while it serves: `python logged_server.py APPLICATIONS
PORT THREADS FORMATS ROUNDS` serves, begins to switch when a line comes on standard input, and then prints as JSON, in
order, what each stretch was served with and took: [format or "off", requests, processor nanoseconds, nanoseconds].

Runs in a daemon's interpreter, without manager and spawner. What a stretch costs is compared with its neighbours', so
that a machine that is slower now than a moment ago changes little: see log_costs.py.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time

from wsgigroups.runtime.serving.server import Server
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.board import WORD
from wsgigroups.runtime.wire.spec import Serving

TOTAL = WORD["requests_total"]
STRETCH_S = 0.1
SETTLE_S = 0.02  # after a switch


def main(applications: str, port: str, threads: str, formats: str, rounds: str) -> None:
    """Serve, switch, and print."""
    sys.path.insert(0, applications)
    from plain import application  # type: ignore[import-not-found]

    settings = Serving(threads=int(threads), listen_backlog=4096)
    page = board.private(settings.threads)
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=4096)
    with tempfile.TemporaryFile(buffering=0) as log:

        def write(lines: bytes) -> None:
            os.write(log.fileno(), lines)

        server = Server(
            settings=settings,
            listeners=[listener],
            application=application,
            board=page,
            log=lambda _level, _text: None,
            access_log=write,
        )
        server.start()
        sys.stdin.readline()

        def stretch(form: str) -> list[object]:
            server.tune({"access_log": form})
            time.sleep(SETTLE_S)
            requests, cpu_ns, began_ns = page.words[TOTAL], time.process_time_ns(), time.monotonic_ns()
            time.sleep(STRETCH_S)
            requests, cpu_ns = page.words[TOTAL] - requests, time.process_time_ns() - cpu_ns
            log.truncate(0)
            return [form, requests, cpu_ns, time.monotonic_ns() - began_ns]

        found = [stretch("off")]
        for _round in range(int(rounds)):
            for form in formats.split(","):
                found += [stretch(form), stretch("off")]
        print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
