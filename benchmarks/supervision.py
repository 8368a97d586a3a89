"""What supervision costs: the command line's processor time, and a hundred groups from nothing to ready.

Runs in the benchmark's process; wsgigroups runs as the account of the servers, through its command line alone.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.serving import Ground
from benchmarks.trial import Trial, trying

GROUPS = 100
RUNS = 11
GROUP = """
[groups.g{number:03}]
app = "plain:application"
python-path = ["{applications}"]
listen = ["unix:{directory}/sockets/g{number:03}.sock"]
processes = 1
"""


def measure(ground: Ground) -> dict[str, object]:
    """Apply a hundred groups, ask for the status, change nothing, and stop; return the figures."""
    with trying(ground) as trial:
        configuration = str(write_configuration(trial))
        elapsed = {"version": median(trial, "--version")}
        elapsed_s, cpu_s = trial.timed("apply", "--yes", configuration)
        return {
            **elapsed,
            "apply": {"groups": GROUPS, "elapsed_s": elapsed_s, "cpu_s": cpu_s},
            "status": median(trial, "status"),
            "apply_again": median(trial, "apply", configuration),
            "memory": memory(json.loads(trial.run("status", "-o", "json"))),
        }


def median(trial: Trial, *words: str) -> dict[str, float]:
    """Run a command RUNS times; return the medians in milliseconds."""
    runs = [trial.timed(*words) for _number in range(RUNS)]
    return {
        "elapsed_ms": statistics.median(elapsed_s for elapsed_s, _cpu_s in runs) * 1000,
        "cpu_ms": statistics.median(cpu_s for _elapsed_s, cpu_s in runs) * 1000,
    }


def write_configuration(trial: Trial) -> Path:
    """Write the file with a hundred groups, and a directory for their sockets that the account owns."""
    sockets = trial.directory / "sockets"
    sockets.mkdir()
    trial.own(sockets)
    applications = trial.ground.applications
    groups = (GROUP.format(number=n, applications=applications, directory=trial.directory) for n in range(GROUPS))
    return trial.write("".join(groups))


def memory(status: dict[str, Any]) -> dict[str, float]:
    """Return PSS in MiB: one daemon in the median, all daemons, manager with spawners."""
    daemons = [process["pid"] for group in status["groups"] for process in group["processes"]]
    each = [accounting.own_cost(pid).pss_bytes / 1048576 for pid in daemons]
    manager = status["manager"]["pid"]
    others = [process.pid for process in accounting.tree([manager]) if process.pid not in set(daemons)]
    return {
        "daemons": len(each),
        "daemon_pss_mib": statistics.median(each),
        "daemons_pss_mib": sum(each),
        "manager_and_spawners_pss_mib": sum(accounting.own_cost(pid).pss_bytes for pid in others) / 1048576,
    }
