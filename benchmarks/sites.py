"""Two sites on one address, beside nginx with uWSGI and Apache with mod_wsgi; TLS; and ten thousand sites.

Runs in the benchmark's process. In each round every contender is started afresh, in a changing order, for all loads.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.cases import ALONE, OURS, Case
from benchmarks.load import LoadError
from benchmarks.measuring import Sample, measure_case
from benchmarks.peers import wsgigroups
from benchmarks.serving import Ground, Running, free_port, serving
from benchmarks.site_peers import PEERS, tls_port
from benchmarks.trial import Trial, trying

VARIED = Case("sites", "two sites, every request different, a JSON answer", "plain", "/items/", script="sites.lua")
LARGE = Case(
    "sites-large", "two sites, every request different, a 64 KiB answer", "plain", "/large", script="sites.lua"
)
SHAKES = Case("tls-close", "TLS, a connection per request: handshakes", "plain", "/items/", script="sites.lua",
              close=True, secure=True)  # fmt: skip
SECURE = replace(LARGE, name="tls-large", title="TLS, 64 KiB answers on kept connections", secure=True)
PLAIN, OVER_TLS = (VARIED, LARGE), (SHAKES, SECURE)
WITHOUT_TLS = ("mod_wsgi",)
ROUNDS = 3
SECONDS = 1.0
SITES = 10_000
SITES_OF_A_FILE = 500  # one file has no room for all
START_S, MANY_S = 2.0, 35.0  # about: a contender's start and end, and what is measured of many sites
CHANGES = 3
CHANGED = 7  # the number of the site whose route changes
GROUP = """
[groups.site]
app = "plain:application"
python-path = ["{applications}"]
home = "/"
threads = 2

[groups.other]
app = "plain:application"
python-path = ["{applications}"]
home = "/"
threads = 2
"""


def estimate_s(rounds: int | None, seconds: float | None) -> float:
    """Return about how long it takes."""
    loads = len(PLAIN) * len(PEERS) + len(OVER_TLS) * (len(PEERS) - len(WITHOUT_TLS))
    return (rounds or ROUNDS) * (loads * ((seconds or SECONDS) + 0.5) + START_S * len(PEERS)) + MANY_S


def measure(ground: Ground, rounds: int | None = None, seconds: float | None = None) -> dict[str, Any]:
    """Return the figures for results.json."""
    absent = {peer.name: reason for peer in PEERS if (reason := peer.missing(ground.environment)) is not None}
    here = [peer for peer in PEERS if peer.name not in absent]
    samples: list[Sample] = []
    idle: dict[str, list[float]] = {}
    for number in range(rounds or ROUNDS):
        for place in range(len(here)):
            peer = here[(place + number) % len(here)]
            done = len(samples)
            try:
                with serving(peer, VARIED.application, ALONE, ground) as running:
                    if peer.name == OURS:
                        idle.setdefault(OURS, []).append(_gateway_pss_mib(running))
                    samples += _loads(running, number + 1, seconds or SECONDS)
            except LoadError as failure:
                left = cases_of(peer.name)[len(samples) - done :]
                samples += [Sample(ALONE.name, case.name, peer.name, number + 1, failure=str(failure)) for case in left]
    return {
        "rounds": rounds or ROUNDS,
        "seconds": seconds or SECONDS,
        "titles": {peer.name: peer.title for peer in PEERS},
        "absent": absent,
        "samples": [sample.as_data() for sample in samples],
        "idle_pss_mib": statistics.median(idle[OURS]) if idle else None,
        "many": many(ground, SITES),
    }


def cases_of(peer: str) -> tuple[Case, ...]:
    """Return what a contender is loaded with."""
    return PLAIN if peer in WITHOUT_TLS else (*PLAIN, *OVER_TLS)


def _loads(running: Running, number: int, seconds: float) -> Iterator[Sample]:
    for case in cases_of(running.peer.name):
        port = tls_port(running.job) if case.secure else running.job.port
        yield measure_case(case, replace(running, job=replace(running.job, port=port)), number, seconds)


def _gateway_pss_mib(running: Running) -> float:
    """Return what the process of the gateway takes before anybody has asked for anything but whether it answers."""
    groups = wsgigroups.read_status(running.job)["groups"]
    pids = [process["pid"] for group in groups if group["name"] == "@gateway" for process in group["processes"]]
    return accounting.own_cost(pids[0]).pss_bytes / 1048576


def many(ground: Ground, count: int) -> dict[str, Any]:
    """Return what so many sites cost: a look-up, an apply of all, and a change of one route."""
    program = [str(ground.environment / "bin" / "python"), str(ground.applications / "inside" / "sites_cost.py")]
    done = subprocess.run([*program, str(count)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise LoadError(f"cannot measure look-ups: {done.stderr.strip()[-500:]}")
    inside = json.loads(done.stdout)
    with trying(ground) as trial:
        port = free_port()
        configuration = write_configuration(trial, count, port, "site")
        first_s, _cpu_s = trial.timed("-q", "apply", "--yes", str(configuration))
        changes_s = [_change(trial, count, port, number) for number in range(CHANGES)]
    return {"count": count, **inside, "apply_s": first_s, "change_s": statistics.median(changes_s)}


def _change(trial: Trial, count: int, port: int, number: int) -> float:
    """Have one of the sites served by the other group, or back; return the seconds of the whole command."""
    configuration = write_configuration(trial, count, port, ("other", "site")[number % 2])
    elapsed_s, _cpu_s = trial.timed("-q", "apply", "--yes", str(configuration))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: site-%d.test\r\nConnection: close\r\n\r\n" % CHANGED)
        if b" 200 " not in sock.recv(65536).split(b"\r\n", 1)[0]:
            raise LoadError("a site with a changed route does not answer")
    return elapsed_s


def write_configuration(trial: Trial, count: int, port: int, group_of_one: str) -> Path:
    """Write it, in as many files as it takes. The first site has the group `other` always, and one `group_of_one`.

    So what changes is one route, and no process.
    """
    groups = {0: "other", CHANGED: group_of_one}
    for first in range(0, count, SITES_OF_A_FILE):
        path = trial.directory / f"sites-{first:05}.toml"
        numbers = range(first, min(count, first + SITES_OF_A_FILE))
        path.write_text("".join(_site(number, port, groups.get(number, "site")) for number in numbers))
        trial.own(path)
    included = 'include = ["sites-*.toml"]\n'
    return trial.write(included + GROUP.format(applications=trial.ground.applications))


def _site(number: int, port: int, group: str) -> str:
    return (
        f'[sites."site-{number}.test"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "{group}"\n\n'
        f'[[sites."site-{number}.test".mounts]]\npath = "/"\n\n'
    )
