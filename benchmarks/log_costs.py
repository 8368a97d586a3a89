"""What an access log costs: one server whose log is switched on and off while requests that differ load it.

Runs in the benchmark's process. Two servers one after the other differ by more than a log costs, and so does the same
one a few seconds later: each stretch with a log is compared with the mean of the stretches right before and after it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import threading
from collections.abc import Iterable, Sequence

from benchmarks import load
from benchmarks.cases import ALONE, VARIED
from benchmarks.measuring import WARM_UP_S
from benchmarks.serving import Ground, free_port, wait_until_answering

FORMATS = ("common", "combined", "json")
ROUNDS = 60
STRETCH_S = 0.12  # with the switch
LOAD_S = WARM_UP_S + ROUNDS * len(FORMATS) * 2 * STRETCH_S

Figures = dict[str, dict[str, float]]


def measure(ground: Ground) -> Figures:
    """Return what each format adds, in per cent. Raises LoadError, OSError."""
    port = free_port()
    inside = ground.applications / "inside"
    log = inside / "logged_server.log"
    program = [str(ground.environment / "bin" / "python"), str(inside / "logged_server.py"), str(ground.applications)]
    with open(log, "w") as output:
        server = subprocess.Popen(
            [*program, str(port), str(ALONE.threads), ",".join(FORMATS), str(ROUNDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            **ground.account.popen_arguments(),
        )
        try:
            wait_until_answering(port, [server], log)
            load.warm_up(VARIED, port, WARM_UP_S)
            loading = threading.Thread(target=load.run, args=(VARIED, port, LOAD_S), name="load")
            loading.start()
            told, _nothing = server.communicate("begin\n", timeout=LOAD_S + 60)
            loading.join()
        finally:
            server.kill()
            server.wait()
    return compare(json.loads(told))


def compare(stretches: Sequence[tuple[str, int, int, int]]) -> Figures:
    """Return for each format what it adds to the CPU of a request and takes from the rate: median and quartiles."""
    costs: dict[str, tuple[list[float], list[float]]] = {}
    for before, logged, after in triples(stretches):
        cpu, rates = costs.setdefault(logged[0], ([], []))
        plain_cpu = (before[2] / before[1] + after[2] / after[1]) / 2
        plain_rate = (before[1] / before[3] + after[1] / after[3]) / 2
        cpu.append((logged[2] / logged[1] / plain_cpu - 1) * 100)
        rates.append((1 - logged[1] / logged[3] / plain_rate) * 100)
    return {form: {"pairs": len(cpu), **quartiles("cpu", cpu), **quartiles("rate", rates)}
            for form, (cpu, rates) in costs.items()}  # fmt: skip


def triples(stretches: Sequence[tuple[str, int, int, int]]) -> Iterable[tuple[tuple[str, int, int, int], ...]]:
    """Yield each stretch with a log between its neighbours, where all three had requests."""
    for place in range(1, len(stretches) - 1, 2):
        three = tuple(stretches[place - 1 : place + 2])
        if all(requests > 0 for _form, requests, _cpu_ns, _wall_ns in three):
            yield three


def quartiles(name: str, values: list[float]) -> dict[str, float]:
    """Return median and quartiles of a list."""
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {f"{name}_percent": median, f"{name}_low": low, f"{name}_high": high}
