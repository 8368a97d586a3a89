"""What processes share with preload = "app": memory of each, and the time from a request to one ready process more.

`python -m benchmarks.preload ENVIRONMENT` prints the table of docs/preload.md; that one has wsgigroups and Django.
Runs in the benchmark's process; as root, the processes are those of the account of the servers.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.serving import Ground, free_port
from benchmarks.starts import STARTS, scaled
from benchmarks.trial import Trial, trying
from tools import facts

PROCESSES = 4
REQUESTS, CLIENTS = 6400, 8
MIB = 1048576
GROUP = """
[groups.a]
app = "django_page:application"
python-path = ["{applications}"]
home = "/"
listen = ["127.0.0.1:{port}"]
processes = {processes}
threads = 2
preload = "{preload}"
"""


def measure(ground: Ground, preload: str) -> dict[str, float]:
    """Ask the same of a group with and without; return MiB of a process and of all, and milliseconds to ready."""
    is_root = os.geteuid() == 0
    with trying(ground, facts.Account("root", 0, 0) if is_root else ground.account) as trial:
        port = free_port()
        about = {"applications": ground.applications, "port": port, "processes": PROCESSES, "preload": preload}
        whose = f'user = "{ground.account.name}"\n' if is_root else ""
        trial.run("apply", "--yes", str(trial.write(GROUP.format(**about) + whose)))
        warm_up(port)
        found = group(trial)
        each = [accounting.own_cost(process["pid"]).pss_bytes / MIB for process in found["processes"]]
        molds = [accounting.own_cost(mold["pid"]).pss_bytes / MIB for mold in found["molds"]]
        times_s = [scaled(trial, PROCESSES + number + 1) for number in range(STARTS)]
        return {
            "process_mib": statistics.mean(each),
            "all_mib": sum(each) + sum(molds),
            "ready_ms": statistics.median(times_s) * 1000,
        }


def group(trial: Trial) -> dict[str, Any]:
    """Return what the status says of the group."""
    status: dict[str, Any] = json.loads(trial.run("status", "-o", "json"))
    found: dict[str, Any] = status["groups"][0]
    return found


def warm_up(port: int) -> None:
    """Make requests on connections of their own, so that each process gets some."""

    def ask(_number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, range(REQUESTS)))


def main(environment: str) -> None:
    """Print the figures."""
    ground = Ground(Path(environment), Path(__file__).resolve().parent / "applications", facts.daemon_account())
    off, app = measure(ground, "off"), measure(ground, "app")
    print(f"| {PROCESSES} processes after {REQUESTS:,} requests | off | app |\n|---|---:|---:|")
    print(f"| memory of a process (PSS) | {off['process_mib']:.1f} MiB | {app['process_mib']:.1f} MiB |")
    print(f"| of all, with the mold | {off['all_mib']:.0f} MiB | {app['all_mib']:.0f} MiB |")
    print(f"| one process more, until it is ready | {off['ready_ms']:.0f} ms | {app['ready_ms']:.0f} ms |")


if __name__ == "__main__":
    main(*sys.argv[1:])
