"""What a fault costs: how soon a killed daemon is replaced under load, and what ten broken applications use.

Runs in the benchmark's process; wsgigroups runs as the account of the servers, through its command line alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load import LoadError
from benchmarks.serving import Ground
from benchmarks.trial import Trial, trying

KILLS = 20
LIMIT_S = 30.0  # until its successor is ready
CLIENTS = 16
BROKEN = 10  # half raise when they are imported, half are killed with SIGKILL as soon as they are ready
STORM_SETTLES_S = 10.0
# the longest that one waits before it is started again: less would see a few of the starts, or all
STORM_MEASURED_S = 30.0
MOST_MS = 1000.0  # promised: replaced within a second
AGAIN_S = 1.0
CALM_S = 0.2  # between two kills: all clients are connected again
MOST_PERCENT = 5.0  # promised: of a core, from ten seconds on
SOURCES = {
    "broken.py": "raise RuntimeError('broken on purpose')\n",
    "pid.py": (
        "import os\n\n\n"
        "def application(environ, start_response):\n"
        "    body = str(os.getpid()).encode()\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])\n"
        "    return [body]\n"
    ),
}


def measure(ground: Ground) -> dict[str, object]:
    """Return the figures of both faults."""
    return {"replacement": _replacement(ground), "storm": _storm(ground)}


def _replacement(ground: Ground) -> dict[str, float]:
    """kill -9 a daemon while keep-alive clients run, KILLS times; from the kill to its successor's being ready."""
    port = _free_port()
    with _sources() as directory:
        text = (
            f'[groups.pid]\napp = "pid:application"\npython-path = ["{directory}"]\n'
            f'listen = ["127.0.0.1:{port}"]\nprocesses = {KILLS}\nthreads = 4\n'
        )
        with _running(ground, text) as trial, contextlib.closing(_Clients(port)) as clients:
            gaps_s, victims = [], set()
            for kill in range(KILLS):
                slot = kill + 1  # each slot once: what dies again at once waits for its backoff
                before = _ready(trial)[slot]
                victims.add(before)
                gaps_s.append(_gap_s(trial, slot, before))
                time.sleep(CALM_S)
            answers, lost = clients.stop()
    return {
        "kills": KILLS,
        "clients": CLIENTS,
        "median_ms": statistics.median(gaps_s) * 1000,
        "maximum_ms": max(gaps_s) * 1000,
        "limit_ms": MOST_MS,
        "answers": answers,
        "failures": len(lost),
        "failures_elsewhere": sum(pid not in victims for pid in lost),
    }


def _storm(ground: Ground) -> dict[str, float]:
    """Ten applications that keep dying: processor time of everything, after ten seconds."""
    half = BROKEN // 2
    ports = [_free_port() for _number in range(half)]
    with _sources() as directory:
        path = f'python-path = ["{directory}"]'
        text = "".join(
            f'[groups.raises{n}]\napp = "broken:application"\n{path}\nlisten = ["127.0.0.1:{_free_port()}"]\n'
            for n in range(BROKEN - half)
        )
        text += "".join(
            f'[groups.killed{n}]\napp = "pid:application"\n{path}\nlisten = ["127.0.0.1:{port}"]\n'
            for n, port in enumerate(ports)
        )
        with _running(ground, text, fails=True) as trial:
            killers = [_Killer(port) for port in ports]
            time.sleep(STORM_SETTLES_S)
            before = _processor_s(trial)
            time.sleep(STORM_MEASURED_S)
            used_s = _processor_s(trial) - before
            kills = sum(killer.stop() for killer in killers)
    return {
        "groups": BROKEN,
        "killed_groups": half,
        "kills": kills,
        "percent_of_a_core": used_s / STORM_MEASURED_S * 100,
        "limit_percent": MOST_PERCENT,
        "measured_s": STORM_MEASURED_S,
    }


@contextlib.contextmanager
def _sources() -> Iterator[Path]:
    """A directory with SOURCES that every account can read."""
    directory = Path(tempfile.mkdtemp(prefix="wsgifaults-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        for name, text in SOURCES.items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o644)
        yield directory
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def _running(ground: Ground, text: str, *, fails: bool = False) -> Iterator[Trial]:
    """wsgigroups with this configuration."""
    with trying(ground) as trial:
        trial.run("apply", "--yes", *(["--no-wait"] if fails else []), str(trial.write(text)))
        yield trial


class _Clients:
    """Keep-alive clients in a process of their own, until `stop`."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "benchmarks.keep_alive", str(port), str(CLIENTS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():  # a line once answers come
            self._process.wait()
            raise LoadError("the clients got no answers")

    def stop(self) -> tuple[int, list[int]]:
        """Return how many answers came, and for each request that got none the pid of its connection, else 0."""
        said: dict[str, Any] = json.loads(self._process.communicate(timeout=60)[0])
        return said["answers"], said["lost"]

    def close(self) -> None:
        """End them where they go on, because something else went wrong."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class _Killer:
    """Kills whoever answers on a port, until `stop`; the next request waits in the listening socket for the next."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._kills = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def stop(self) -> int:
        """Return how many were killed."""
        self._over.set()
        while self._thread.is_alive():
            with contextlib.suppress(OSError, AttributeError):  # not connected just now
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            self._thread.join(0.05)
        return self._kills

    def _go_on(self) -> None:
        while not self._over.is_set():
            try:
                self._connection.request("GET", "/")
                response = self._connection.getresponse()
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:  # nobody serves: what is measured is not a flood
                    self._over.wait(AGAIN_S)
                    continue
                os.kill(int(response.read()), signal.SIGKILL)
                self._kills += 1
            except (http.client.HTTPException, OSError, ValueError):  # accepted by one that was just dying
                pass
            finally:
                self._connection.close()


def _gap_s(trial: Trial, slot: int, pid: int) -> float:
    """Kill a process; return how long it took until its manager knew that the next one was ready.

    The manager tells when that was, so that nothing is asked of it meanwhile; by the clock of its events, which is not
    the monotonic one.
    """
    from wsgigroups.client import Client

    client = Client(trial.directory / "run")
    last = client.events()["last"]
    began = time.time()
    os.kill(pid, signal.SIGKILL)
    while time.time() < began + LIMIT_S:
        found = client.events(f"?after={last}&wait_s={LIMIT_S}", LIMIT_S)
        for event in found["events"]:
            last = event["number"]
            if event["kind"] == "ready" and event["slot"] == slot:
                return datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp() - began
    raise LoadError(f"no successor of process {slot} within {LIMIT_S:.0f} s")


def _ready(trial: Trial) -> dict[int, int]:
    """Slot → pid of the ready processes, asked on the control socket itself: a command would take longer."""
    from wsgigroups.client import Client

    status = Client(trial.directory / "run").status()
    ready = [p for g in status["groups"] for p in g["processes"] if p["state"] == "ready"]
    return {p["slot"]: p["pid"] for p in ready if p["pid"]}


def _processor_s(trial: Trial) -> float:
    """Processor seconds of manager and spawners with all their children that have ended."""
    status: dict[str, Any] = json.loads(trial.run("status", "-o", "json"))
    manager = psutil.Process(status["manager"]["pid"])
    used_s = 0.0
    for process in (manager, *manager.children()):
        times = process.cpu_times()
        used_s += times.user + times.system
        if process is not manager:
            used_s += times.children_user + times.children_system
    return used_s


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
