"""From the request to one ready process more, and its memory, for every kind of spawner, with and without confinement.

Runs in the benchmark's process, as root: only then are there spawners of users, and all that confinement can do. As
another account shared spawners alone are measured. `python -m benchmarks.starts ENVIRONMENT COMMIT` prints the
figures of the commit that is installed there, which knows neither: so benchmarks/starts_earlier.json was made.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import accounting, quiet, store
from benchmarks.serving import Ground
from benchmarks.trial import Trial, trying
from tools import facts

STARTS = 20
FIRST = 4  # processes that are there before: the first of a spawner loads what the others share
EARLIER = Path(__file__).resolve().parent / "starts_earlier.json"
SPAWNERS = ("shared", "per-user")
CONFINEMENT = """
confinement = "best-effort"
read-only-paths = ["/"]
private-tmp = true
protect-home = true
private-devices = true
restrict-address-families = ["AF_UNIX", "AF_INET", "AF_INET6"]
system-call-filter = ["@system-service"]
restrict-namespaces = true
"""


def measure(ground: Ground) -> dict[str, Any]:
    """Return the figures for results.json, with those of the earlier commit."""
    kinds = SPAWNERS if os.geteuid() == 0 else SPAWNERS[:1]
    found = [
        {"spawners": spawners, "confined": confined, **one(ground, f'[server]\nspawners = "{spawners}"\n', confined)}
        for spawners in kinds
        for confined in (False, True)
    ]
    return {"kinds": found, "starts": STARTS, "earlier": json.loads(EARLIER.read_text())}


def one(ground: Ground, head: str, confined: bool) -> dict[str, float]:
    """Start one process after the other; return milliseconds to ready and MiB of a daemon, medians."""
    caller = facts.Account("root", 0, 0) if os.geteuid() == 0 else ground.account
    with trying(ground, caller) as trial:
        group = (
            f'{head}[groups.a]\napp = "plain:application"\npython-path = ["{ground.applications}"]\nhome = "/"\n'
            f'listen = ["unix:{trial.directory}/a.sock"]\nprocesses = {FIRST}\nthreads = 2\n'
        )
        group += f'user = "{ground.account.name}"\n' if os.geteuid() == 0 else ""
        trial.run("apply", "--yes", str(trial.write(group + (CONFINEMENT if confined else ""))))
        times_s = [scaled(trial, FIRST + number + 1) for number in range(STARTS)]
        status: dict[str, Any] = json.loads(trial.run("status", "-o", "json"))
        pids = [process["pid"] for found in status["groups"] for process in found["processes"]]
        memory = [accounting.own_cost(pid).pss_bytes for pid in pids]
        return {"ready_ms": statistics.median(times_s) * 1000, "pss_mib": statistics.median(memory) / 1048576}


def scaled(trial: Trial, processes: int) -> float:
    """Ask for one process more on the control socket itself; return the seconds until the change is over."""
    from wsgigroups.client import Client

    client = Client(trial.directory / "run")
    began = time.monotonic()
    number, seen = client.post("/v1/scale", {"processes": {"a": processes}})["change"], ""
    while True:
        change = client.wait(number, seen)
        if change["finished"]:
            return time.monotonic() - began
        seen = change["seen"]


def main(environment: str, commit: str) -> None:
    """Print the figures of an earlier commit, as they stand in starts_earlier.json."""
    ground = Ground(Path(environment), Path(__file__).resolve().parent / "applications", facts.daemon_account())
    others = quiet.look()
    measured = {"commit": commit, "measured": store.now(), **one(ground, "", confined=False)}
    print(json.dumps({**measured, "other_load_percent": others.load_percent}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
