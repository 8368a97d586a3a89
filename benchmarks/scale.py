"""A thousand groups: what a change of nothing, a change of one, and idling cost; and many starts beside other servers'.

Runs in the benchmark's process; wsgigroups runs as the account of the servers, through its command line alone.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks import many
from benchmarks.load import LoadError
from benchmarks.serving import Ground
from benchmarks.trial import Trial, trying

GROUPS = 1000
RUNS = 5
CHANGES = 4
IDLE_S = 10.0
KILLS = 20
SETTLES_S = 3.0  # after an apply: what is stored and looked at once


def measure(ground: Ground) -> dict[str, Any]:
    """Return the figures for results.json."""
    return {"count": many.COUNT, "fleets": many.measure(ground), **thousand(ground, GROUPS)}


def thousand(ground: Ground, groups: int) -> dict[str, Any]:
    """Return what so many groups cost; also how soon one that was killed answers again."""
    with trying(ground) as trial:
        configuration = trial.write("")
        _write(trial, configuration, groups, 2)
        first_s, _cpu_s = trial.timed("-q", "apply", "--yes", str(configuration))
        again = [trial.timed("apply", str(configuration)) for _number in range(RUNS)]
        changed = []
        touched = 0
        for number in range(CHANGES):
            before = _pids(trial)
            _write(trial, configuration, groups, 3 + number)
            changed.append(trial.timed("-q", "apply", "--yes", str(configuration))[0])
            touched = max(touched, len(before.items() - _pids(trial).items()))
        gaps_s = _replaced(trial, min(KILLS, groups))
        time.sleep(SETTLES_S)
        manager = psutil.Process(_status(trial)["manager"]["pid"])
        before_s = sum(manager.cpu_times()[:2])
        time.sleep(IDLE_S)
        return {
            "groups": groups,
            "first_s": first_s,
            "again_s": statistics.median(elapsed_s for elapsed_s, _cpu_s in again),
            "again_client_cpu_s": statistics.median(cpu_s for _elapsed_s, cpu_s in again),
            "change_s": statistics.median(changed),
            "touched": touched,
            "idle_percent": (sum(manager.cpu_times()[:2]) - before_s) / IDLE_S * 100,
            "rss_mib": manager.memory_info().rss / 1048576,
            "kills": len(gaps_s),
            "replaced_ms": statistics.median(gaps_s) * 1000,
            "replaced_longest_ms": max(gaps_s) * 1000,
        }


def _write(trial: Trial, configuration: Path, groups: int, threads: int) -> None:
    configuration.write_text(many.groups(trial.ground, trial.directory, groups, threads))


def _status(trial: Trial) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(trial.run("status", "-o", "json"))
    return found


def _pids(trial: Trial) -> dict[str, int]:
    return {group["name"]: p["pid"] for group in _status(trial)["groups"] for p in group["processes"]}


def _replaced(trial: Trial, kills: int) -> list[float]:
    """kill -9 the daemon of one group after the other: from the death to the first answer of its successor."""
    pids, gaps_s = _pids(trial), []
    for number in range(kills):
        pidfd = os.pidfd_open(pids[f"a{number:04}"])
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)
        began = time.monotonic()
        # the listener stays: who connects meanwhile waits in its queue until the successor takes it
        while not many.answers(many.address(trial.directory, number)):
            if time.monotonic() > began + many.LIMIT_S:
                raise LoadError("a daemon that was killed had no successor")
        gaps_s.append(time.monotonic() - began)
    return gaps_s
