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
import tempfile
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving import Ground
from benchmarks.trial import Trial, trying

KILLS = 20
CLIENTS = 16
BROKEN = 10  # half raise when they are imported, half are killed with SIGKILL as soon as they are ready
STORM_SETTLES_S = 10.0
STORM_MEASURED_S = 10.0
MOST_MS = 1000.0  # promised: replaced within a second
AGAIN_S = 1.0
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
        with _running(ground, text) as trial:
            clients = _Clients(port)
            gaps_s, victims = [], set()
            for kill in range(KILLS):
                slot = kill + 1  # each slot once: what dies again at once waits for its backoff
                before = _ready(trial)[slot]
                victims.add(before)
                os.kill(before, signal.SIGKILL)
                began = time.monotonic()
                while _ready(trial).get(slot) in (None, before):
                    pass
                gaps_s.append(time.monotonic() - began)
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
    """Keep-alive clients in threads until `stop`; each knows which process answered on its connection before."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._answers = 0
        self._lost: list[int] = []
        self._threads = [threading.Thread(target=self._go_on) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> tuple[int, list[int]]:
        """Return how many answers came, and for each request that got none the pid of its connection, else 0."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self._answers, self._lost

    def _go_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        pid = 0
        while not self._over.is_set():
            try:
                connection.request("GET", "/")
                pid = int(connection.getresponse().read())
                with self._lock:
                    self._answers += 1
            except (http.client.HTTPException, OSError):
                connection.close()
                with self._lock:
                    self._lost.append(pid)
                pid = 0
        connection.close()


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
