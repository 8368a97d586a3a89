"""What each mechanism of the request path is worth: pairs of loads with it and without, one right after the other.

Runs in the benchmark's process. The servers are `inside/switched_server.py`: the request path alone, without manager
and spawner, so figures are compared within a pair only.
"""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

from benchmarks.cases import Layout, case_of
from benchmarks.inside.switches import SWITCHES, Switch
from benchmarks.load import LoadError
from benchmarks.measuring import Sample, measure_case
from benchmarks.peers import Job, Peer
from benchmarks.progress import START_AND_STOP_S, load_s
from benchmarks.serving import Ground, serving

ROUNDS = 5
SECONDS = 1.0
FIRST = "/burn/30"  # from this call on leaders hand over, for a while or for good
POSITIONS = ("on", "off")


class Switched(Peer):
    """Our server with a mechanism on or off."""

    def __init__(self, switch: Switch, position: str) -> None:
        self.name = position
        self.title = f"{switch.name} {position}"
        self._switch = switch

    def version(self, environment: Path) -> str:
        return ""

    def commands(self, job: Job) -> list[list[str]]:
        program = job.applications / "inside" / "switched_server.py"
        words = [str(job.applications), str(job.port), self._switch.name, self.name]
        return [[job.program("python"), str(program), *words]]


def estimate_s(rounds: int | None, seconds: float | None) -> float:
    """Return about how many seconds `measure` takes."""
    one_s = sum(
        START_AND_STOP_S + sum(load_s(case_of(case), seconds or SECONDS) for case in switch.cases)
        for switch in SWITCHES
    )
    return one_s * len(POSITIONS) * (rounds or ROUNDS)


def measure(ground: Ground, rounds: int | None, seconds: float | None) -> list[dict[str, Any]]:
    """Return the samples, as those of loads with the name of their switch; `peer` is "on" or "off"."""
    found: list[dict[str, Any]] = []
    for number in range(rounds or ROUNDS):
        for switch in SWITCHES:
            for position in POSITIONS if number % 2 else reversed(POSITIONS):
                samples = measure_position(switch, position, number + 1, seconds or SECONDS, ground)
                found += [{"switch": switch.name, **sample.as_data()} for sample in samples]
    return found


def measure_position(switch: Switch, position: str, number: int, seconds: float, ground: Ground) -> list[Sample]:
    """Start the server once and run the cases of the switch."""
    layout = Layout(switch.processes, switch.threads)
    cases = [case_of(name) for name in switch.cases]
    try:
        with serving(Switched(switch, position), cases[0].application, layout, ground) as running:
            ask_first(running.job.port)
            return [measure_case(case, running, number, seconds) for case in cases]
    except LoadError as failure:
        return [Sample(layout.name, case.name, position, number, failure=str(failure)) for case in cases]


def ask_first(port: int) -> None:
    """Have the server make a call that outlasts a tick. Raises LoadError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", FIRST)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"the server does not answer {FIRST}: {error}") from error
    finally:
        connection.close()
