"""What a fault costs: how soon a killed daemon is replaced under load, and what ten broken applications use.

Runs in the benchmark's process; wsgigroups runs as the account of the servers, through its command line alone.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving import Ground
from benchmarks.supervision import Trial

KILLS = 20
CLIENTS = 16
BROKEN = 10
STORM_SETTLES_S = 10.0
STORM_MEASURED_S = 10.0


def measure(ground: Ground) -> dict[str, object]:
    """Return the figures of both faults."""
    return {"replacement": _replacement(ground), "storm": _storm(ground)}


def _replacement(ground: Ground) -> dict[str, float]:
    """kill -9 a daemon while keep-alive clients run, KILLS times; from the kill to its successor's being ready."""
    port = _free_port()
    text = (
        f'[groups.plain]\napp = "plain:application"\npython-path = ["{ground.applications}"]\n'
        f'listen = ["127.0.0.1:{port}"]\nprocesses = {KILLS}\nthreads = 4\n'
    )
    with _Running(ground, text) as trial:
        clients = _Clients(port)
        gaps_s = []
        for kill in range(KILLS):
            slot = kill + 1  # each slot once: a second death within a minute waits for its backoff
            before = _ready(trial)[slot]
            os.kill(before, signal.SIGKILL)
            began = time.monotonic()
            while _ready(trial).get(slot) in (None, before):
                pass
            gaps_s.append(time.monotonic() - began)
        answers, failures = clients.stop()
    return {
        "kills": KILLS,
        "clients": CLIENTS,
        "median_ms": statistics.median(gaps_s) * 1000,
        "maximum_ms": max(gaps_s) * 1000,
        "answers": answers,
        "failures": failures,
    }


def _storm(ground: Ground) -> dict[str, float]:
    """Ten applications that raise when they are imported: processor time of everything, after ten seconds."""
    directory = Path(tempfile.mkdtemp(prefix="wsgibroken-", dir="/tmp"))
    directory.chmod(0o755)
    (directory / "broken.py").write_text("raise RuntimeError('broken on purpose')\n")
    text = "".join(
        f'[groups.b{n}]\napp = "broken:application"\npython-path = ["{directory}"]\n'
        f'listen = ["127.0.0.1:{_free_port()}"]\n'
        for n in range(BROKEN)
    )
    try:
        with _Running(ground, text, fails=True) as trial:
            time.sleep(STORM_SETTLES_S)
            before = _processor_s(trial)
            time.sleep(STORM_MEASURED_S)
            used_s = _processor_s(trial) - before
    finally:
        shutil.rmtree(directory)
    return {"groups": BROKEN, "percent_of_a_core": used_s / STORM_MEASURED_S * 100}


class _Running:
    """A context: wsgigroups with this configuration."""

    def __init__(self, ground: Ground, text: str, *, fails: bool = False) -> None:
        self._ground, self._text, self._fails = ground, text, fails

    def __enter__(self) -> Trial:
        self._directory = Path(tempfile.mkdtemp(prefix="wsgibench-", dir="/tmp"))
        path = self._directory / "groups.toml"
        path.write_text("version = 1\n" + self._text)
        account = self._ground.account
        if not account.is_caller():
            for owned in (self._directory, path):
                os.chown(owned, account.uid, account.gid)
        self.trial = Trial(self._ground, self._directory)
        self.trial.run("apply", "--yes", *(["--no-wait"] if self._fails else []), str(path))
        return self.trial

    def __exit__(self, *_error: object) -> None:
        subprocess.run([*self.trial.program, "shutdown", "--now"], capture_output=True, check=False, timeout=120)
        shutil.rmtree(self._directory)


class _Clients:
    """Keep-alive clients in threads until `stop`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._counts = [0, 0]
        self._threads = [threading.Thread(target=self._go_on) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> tuple[int, int]:
        """Return answers and failures."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self._counts[0], self._counts[1]

    def _go_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._over.is_set():
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                failed = 0
            except (http.client.HTTPException, OSError):
                connection.close()
                failed = 1
            with self._lock:
                self._counts[failed] += 1
        connection.close()


def _ready(trial: Trial) -> dict[int, int]:
    """Slot → pid of the ready processes, asked on the control socket itself: a command would take longer."""
    from wsgigroups.client import Client

    status = Client(trial.directory / "run").status()
    return {p["slot"]: p["pid"] for g in status["groups"] for p in g["processes"] if p["state"] == "ready"}


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
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
