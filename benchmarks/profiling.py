"""Where the processor time of a request goes: user and system time, system calls, and Python functions.

Runs in the benchmark's process. No two requests of the load are the same. User and system time come from /proc of an
undisturbed server; system calls from strace(1), which is attached to the daemon after a warm-up and slows it; functions
from cProfile in the request threads of a server that runs alone in a process (`inside/profiled_server.py`).
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks import load, peers, quiet
from benchmarks.accounting import cost
from benchmarks.cases import ALONE, OURS, REFERENCE, VARIED
from benchmarks.load import LoadError
from benchmarks.measuring import WARM_UP_S
from benchmarks.peers import Peer
from benchmarks.quiet import Others
from benchmarks.serving import Ground, free_port, serving, wait_until_answering

ROUNDS = 3
SECONDS = 2.0
ATTACH_S = 10.0
LINE = re.compile(r"^\s*[\d.]+\s+([\d.]+)\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$")  # of strace -c: seconds, calls, name


def measure(ground: Ground, rounds: int | None, seconds: float | None) -> dict[str, Any]:
    """Return the three profiles, each a reason where it cannot be made; and what others used during the first."""
    rounds, seconds = rounds or ROUNDS, seconds or SECONDS
    found = [peer for peer in map(peers.load, (OURS, REFERENCE)) if peer.missing(ground.environment) is None]
    during, times = split(found, ground, rounds, seconds)
    return {
        "split": times,
        "other_load": quiet.summarize(during),
        "calls": {peer.name: tried(calls, peer, ground, seconds) for peer in found},
        "functions": tried(functions, ground, seconds),
    }


def tried(what: Any, *arguments: Any) -> dict[str, Any]:
    """Return a profile, or why there is none."""
    try:
        profile: dict[str, Any] = what(*arguments)
    except (LoadError, OSError) as problem:
        return {"failure": str(problem)}
    return profile


def split(
    found: list[Peer], ground: Ground, rounds: int, seconds: float
) -> tuple[list[Others], dict[str, dict[str, float]]]:
    """Return what others used, and the microseconds of user and system time per request: medians of the rounds."""
    runs: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in found}
    during = []
    for _round in range(rounds):
        for peer in found:
            with serving(peer, VARIED.application, ALONE, ground) as running:
                load.warm_up(VARIED, running.job.port, WARM_UP_S)
                before, machine_before = cost(running.roots), quiet.read()
                outcome = load.run(VARIED, running.job.port, seconds)
                machine_after, after = quiet.read(), cost(running.roots)
            requests = max(1, outcome.requests)
            used = (after.user_s - before.user_s, after.system_s - before.system_s)
            during.append(quiet.others(machine_before, machine_after, sum(used)))
            runs[peer.name].append((used[0] / requests * 1e6, used[1] / requests * 1e6))
    return during, {
        name: {
            "user_us": statistics.median(user_us for user_us, _system_us in of),
            "system_us": statistics.median(system_us for _user_us, system_us in of),
        }
        for name, of in runs.items()
    }


def calls(peer: Peer, ground: Ground, seconds: float) -> dict[str, Any]:
    """Return how often a request makes each system call, and the microseconds that strace counts for it."""
    program = shutil.which("strace")
    if program is None:
        raise LoadError("strace is not installed (Debian, Ubuntu: apt-get install strace)")
    with serving(peer, VARIED.application, ALONE, ground) as running:
        load.warm_up(VARIED, running.job.port, WARM_UP_S)
        pid = running.roots[-1]  # of wsgigroups the daemon, else the server itself
        table = running.job.directory / "calls"
        command = [program, "-c", "-f", "-p", str(pid), "-o", str(table)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            wait_until_traced(pid, tracer)
            outcome = load.run(VARIED, running.job.port, seconds)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=ATTACH_S)
        rows = parse(table.read_text())
    requests = max(1, outcome.requests)
    return {
        "requests": requests,
        "calls": [[name, count / requests, seconds_in / requests * 1e6] for name, count, seconds_in in rows],
    }


def wait_until_traced(pid: int, tracer: subprocess.Popen[str]) -> None:
    """Return when every thread of the process is traced; LoadError with strace's words where it gives up."""
    deadline = time.monotonic() + ATTACH_S
    while time.monotonic() < deadline:
        if tracer.poll() is not None:
            words = tracer.stderr.read().strip() if tracer.stderr else ""
            raise LoadError(f"strace gave exit code {tracer.returncode}: {words}")
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        if all("TracerPid:\t0\n" not in text for text in threads):
            return
        time.sleep(0.02)
    raise LoadError(f"strace did not attach within {ATTACH_S:.0f} s")


def parse(table: str) -> list[tuple[str, int, float]]:
    """Return name, calls and seconds of each line of `strace -c`, the most frequent first."""
    rows = [(found[3], int(found[2]), float(found[1])) for line in table.splitlines() if (found := LINE.match(line))]
    return sorted((row for row in rows if row[0] != "total"), key=lambda row: -row[1])


def functions(ground: Ground, seconds: float) -> dict[str, Any]:
    """Return calls, own and whole microseconds of each function per request."""
    port = free_port()
    program = [str(ground.environment / "bin" / "python"), str(ground.applications / "inside" / "profiled_server.py")]
    log = ground.applications / "inside" / "profiled_server.log"
    with open(log, "w") as output:
        server = subprocess.Popen(
            [*program, str(ground.applications), str(port), str(ALONE.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            **ground.account.popen_arguments(),
        )
        try:
            wait_until_answering(port, [server], log)
            load.run(VARIED, port, seconds)
            told, _nothing = server.communicate(timeout=30)
        finally:
            server.kill()
            server.wait()
    data = json.loads(told)
    requests = max(1, data["requests"])
    rows = [
        [name, count / requests, own_s / requests * 1e6, whole_s / requests * 1e6]
        for name, (count, own_s, whole_s) in data["functions"].items()
    ]
    return {"requests": requests, "functions": sorted(rows, key=lambda row: -row[2])}
