"""Whether the machine was quiet: what others used of it while we measured.

Runs in the benchmark's process, reads /proc/stat (proc(5)). Others are whatever is neither the benchmark, nor its
client, nor the server under load. Time in interrupts is nobody's: most of it is the loopback traffic of the load.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK_S = 3.0
NOISY_PERCENT = 5.0


@dataclass(frozen=True)
class Reading:
    """Seconds since the machine's start, summed over its processors, and when that was."""

    at_s: float
    busy_s: float  # user, nice and system time of all processes
    stolen_s: float  # given to other machines by the hypervisor
    ours_s: float  # this process and its children that have ended
    cores: int


@dataclass(frozen=True)
class Others:
    """What others used, in per cent of the machine's processor time."""

    load_percent: float
    stolen_percent: float


def read() -> Reading:
    """Return how things stand now."""
    at_s = time.monotonic()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
    busy_s, stolen_s, cores = parse(Path("/proc/stat").read_text(), os.sysconf("SC_CLK_TCK"))
    return Reading(at_s, busy_s, stolen_s, ours_s, cores)


def parse(stat: str, ticks_per_second: int) -> tuple[float, float, int]:
    """Return busy seconds, stolen seconds and the number of processors from the text of /proc/stat."""
    lines = stat.splitlines()
    user, nice, system, _idle, _waiting, _hard, _soft, stolen = (int(word) for word in lines[0].split()[1:9])
    cores = sum(line.startswith("cpu") for line in lines) - 1
    return (user + nice + system) / ticks_per_second, stolen / ticks_per_second, cores


def others(before: Reading, after: Reading, server_s: float = 0.0) -> Others:
    """Return what others used between two readings; server_s: what the server under load did in that time."""
    available_s = max(1e-9, (after.at_s - before.at_s) * after.cores)
    theirs_s = after.busy_s - before.busy_s - (after.ours_s - before.ours_s) - server_s
    return Others(
        load_percent=max(0.0, theirs_s) / available_s * 100,
        stolen_percent=max(0.0, after.stolen_s - before.stolen_s) / available_s * 100,
    )


def look(seconds: float = LOOK_S) -> Others:
    """Return what others use while we do nothing."""
    before = read()
    time.sleep(seconds)
    return others(before, read())


def during(samples: Sequence[dict[str, Any]]) -> list[Others]:
    """Return what others used during loads, of which this is the data of results.json."""
    return [
        Others(sample["other_load_percent"], sample["stolen_percent"])
        for sample in samples
        if sample["other_load_percent"] is not None
    ]


def summarize(loads: Sequence[Others]) -> dict[str, float]:
    """Return what results.json keeps of the loads of one part; nothing where there were none."""
    if not loads:
        return {}
    percents = [load.load_percent + load.stolen_percent for load in loads]
    return {
        "median_percent": statistics.median(percents),
        "highest_percent": max(percents),
        "stolen_percent": statistics.mean(load.stolen_percent for load in loads),
        "noisy": sum(percent > NOISY_PERCENT for percent in percents),
        "loads": len(loads),
    }
