"""What a request costs: the board, a profile, and an access log.

Runs in the benchmark's process; what is measured runs in the environment of the servers.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from benchmarks import log_costs, profiling
from benchmarks.cases import VARIED
from benchmarks.load import LoadError
from benchmarks.measuring import WARM_UP_S, Schedule
from benchmarks.progress import BESIDE_S, START_AND_STOP_S
from benchmarks.serving import Ground

BOARD_S = 5.0


def estimate_s(schedule: Schedule) -> float:
    """Return about how many seconds `measure` takes."""
    load_s = START_AND_STOP_S + BESIDE_S + WARM_UP_S + (schedule.seconds or profiling.SECONDS)
    loads = 2 * (schedule.rounds or profiling.ROUNDS) + 3
    return BOARD_S + load_s * loads + START_AND_STOP_S + WARM_UP_S + log_costs.LOAD_S


def measure(schedule: Schedule, ground: Ground) -> dict[str, Any]:
    """Return the figures for results.json."""
    return {
        "case": VARIED.name,
        "board": profiling.tried(board, ground),
        "access_log": profiling.tried(log_costs.measure, ground),
        "profile": profiling.measure(ground, schedule.rounds, schedule.seconds),
    }


def board(ground: Ground) -> dict[str, Any]:
    """Return the nanoseconds that counting takes, by `inside/board_cost.py`."""
    command = [str(ground.environment / "bin" / "python"), str(ground.applications / "inside" / "board_cost.py")]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, **ground.account.popen_arguments()
    )
    if done.returncode:
        raise LoadError(f"cannot measure the board: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
