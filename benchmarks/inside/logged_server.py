"""One process of wsgigroups' server whose access log is switched while it serves: `python logged_server.py APPLICATIONS
PORT THREADS FORMATS ROUNDS` serves, begins to switch when a line comes on standard input, and then prints as JSON, in
order, what each stretch was served with and took: [format or "off", requests, processor nanoseconds, nanoseconds].

Runs in a daemon's interpreter. What a stretch costs is compared with its neighbours', so
that a machine that is slower now than a moment ago changes little: see log_costs.py.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

from alone import listen, make_server  # type: ignore[import-not-found]

from wsgigroups.runtime.wire.board import WORD

TOTAL = WORD["requests_total"]
STRETCH_S = 0.1
SETTLE_S = 0.02  # after a switch


def main(applications: str, port: str, threads: str, formats: str, rounds: str) -> None:
    """Serve, switch, and print."""
    with tempfile.TemporaryFile(buffering=0) as log:

        def write(lines: bytes) -> None:
            os.write(log.fileno(), lines)

        server, page = make_server(applications, listen(int(port)), int(threads), write)
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
