"""What supervision costs: the command line's processor time, and a hundred groups from nothing to ready.

Runs in the benchmark's process; wsgigroups runs as the account of the servers, through its command line alone.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.load import LoadError
from benchmarks.serving import Ground

GROUPS = 100
RUNS = 11
GROUP = """
[groups.g{number:03}]
app = "plain:application"
python-path = ["{applications}"]
listen = ["unix:{directory}/sockets/g{number:03}.sock"]
processes = 1
"""


class Trial:
    """wsgigroups with directories of its own, run as the account."""

    def __init__(self, ground: Ground, directory: Path) -> None:
        self.ground = ground
        self.directory = directory
        words = [f"--{name}-dir={directory / name}" for name in ("run", "state", "log")]
        self.program = [str(ground.environment / "bin" / "wsgigroups"), *words]

    def run(self, *words: str) -> str:
        """Run a command; raise LoadError with its own words when it fails."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [*self.program, *words],
            cwd=self.directory,
            env={"PATH": os.defpath, "HOME": str(self.directory), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **self.ground.account.popen_arguments(),
        )
        if done.returncode:
            raise LoadError(f"wsgigroups {words[0]} gave exit code {done.returncode}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def timed(self, *words: str) -> tuple[float, float]:
        """Run a command; return its elapsed and processor seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        self.run(*words)
        elapsed_s = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return elapsed_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def median(self, *words: str) -> dict[str, float]:
        """Run a command RUNS times; return the medians in milliseconds."""
        runs = [self.timed(*words) for _number in range(RUNS)]
        return {
            "elapsed_ms": statistics.median(elapsed_s for elapsed_s, _cpu_s in runs) * 1000,
            "cpu_ms": statistics.median(cpu_s for _elapsed_s, cpu_s in runs) * 1000,
        }


def measure(ground: Ground) -> dict[str, object]:
    """Apply a hundred groups, ask for the status, change nothing, and stop; return the figures."""
    directory = Path(tempfile.mkdtemp(prefix="wsgibench-", dir="/tmp"))
    try:
        configuration = write_configuration(directory, ground)
        trial = Trial(ground, directory)
        figures: dict[str, object] = {"version": trial.median("--version")}
        try:
            elapsed_s, cpu_s = trial.timed("apply", "--yes", str(configuration))
            figures["apply"] = {"groups": GROUPS, "elapsed_s": elapsed_s, "cpu_s": cpu_s}
            figures["status"] = trial.median("status")
            figures["apply_again"] = trial.median("apply", str(configuration))
            figures["memory"] = memory(json.loads(trial.run("status", "-o", "json")))
        finally:
            subprocess.run([*trial.program, "shutdown", "--now"], capture_output=True, check=False, timeout=120)
    finally:
        shutil.rmtree(directory)
    return figures


def write_configuration(directory: Path, ground: Ground) -> Path:
    """Write the file with a hundred groups into a directory that the account owns."""
    path = directory / "groups.toml"
    groups = (GROUP.format(number=n, applications=ground.applications, directory=directory) for n in range(GROUPS))
    path.write_text("version = 1\n" + "".join(groups))
    (directory / "sockets").mkdir()
    if not ground.account.is_caller():
        for owned in (directory, directory / "sockets", path):
            os.chown(owned, ground.account.uid, ground.account.gid)
    return path


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
