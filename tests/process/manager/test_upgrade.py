"""`wsgigroups upgrade`: a manager becomes the version that was installed, under load, and loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.faults import outlives
from support.installed import InstalledCopy
from support.manager import APPS, HUNG_S, ManagerUnderTest

from wsgigroups.client import Client
from wsgigroups.errors import ExitCode

pytestmark = [pytest.mark.cold, pytest.mark.timeout(120)]


def group(name: str, port: int, app: str = "hello_app") -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.{name}]\napp = "{app}:application"\n{where}processes = 2\n'


@contextlib.contextmanager
def running(manager: ManagerUnderTest, copy: InstalledCopy, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """A manager that has the copy, with all of its groups ready."""
    path = manager.write(text)
    manager.log_dir.mkdir()
    with open(manager.log_dir / "manager.log", "wb") as log:
        process = subprocess.Popen(
            copy.command(manager.command("run", str(path))), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        manager.wait_for("it answers", manager.client.running)
        manager.wait_for(
            "all are ready", lambda: (s := manager.status()["groups"]) and all(g["state"] == "ready" for g in s)
        )
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(HUNG_S)


class Asking:
    """Asks for the status without a pause, and keeps what went wrong."""

    def __init__(self, manager: ManagerUnderTest) -> None:
        self.failures: list[str] = []
        self.answers = 0
        self._run_dir = manager.run_dir
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        client = Client(self._run_dir)
        while not self._enough.is_set():
            try:
                client.status()
                self.answers += 1
            except Exception as error:
                self.failures.append(repr(error))

    def __enter__(self) -> Asking:  # noqa: PYI034 - Self is Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._enough.set()
        self._thread.join()


def test_an_upgrade_under_load_loses_nothing_and_replaces_all_processes(manager: ManagerUnderTest) -> None:
    port, other = manager.port(), manager.port()
    copy = InstalledCopy(manager.base / "lib")
    with running(manager, copy, group("a", port) + group("b", other)) as process:
        before = {**manager.pids("a"), **{slot + 10: pid for slot, pid in manager.pids("b").items()}}
        spawner = psutil.Process(before[1]).ppid()
        copy.install("9.1.0")
        with manager.clients(port, 2) as clients, manager.clients(other, 2) as others, Asking(manager) as asking:
            done = manager.cli("upgrade", "--yes", "-o", "json")
            assert done.returncode == 0, done.stderr
            clients.wait_for_more(20)
            others.wait_for_more(20)
        assert clients.failures == []
        assert others.failures == []
        assert asking.failures == []
        found = json.loads(done.stdout)
        assert found["version"] == "9.1.0"
        assert found["groups"] == ["a", "b"]
        assert found["former"] == []
        assert "a, b" in done.stderr
        status = manager.status()
        assert status["manager"]["pid"] == process.pid
        assert status["manager"]["version"] == "9.1.0"
        assert status["manager"]["handovers"] == 1
        after = {*manager.pids("a").values(), *manager.pids("b").values()}
        assert len(after) == 4
        assert not after & {*before.values()}
        assert not any(p["restarts"] for p in status["groups"] if "restarts" in p)
        assert not outlives(spawner, HUNG_S), "the former spawner ends with its last process"
        environment = Path(f"/proc/{manager.pids('a')[1]}/environ").read_bytes()
        assert b"HANDOVER" not in environment
        # it is a manager like any other: it can do so again, and reads its file
        assert manager.cli("upgrade", "--yes").returncode == 0
        assert manager.status()["manager"]["handovers"] == 2
        assert {*manager.pids("a").values(), *manager.pids("b").values()} == after
        second = manager.cli("run")
        assert second.returncode == ExitCode.FAILED
        assert "another one" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(HUNG_S) == 0


def test_without_a_restart_every_process_stays(manager: ManagerUnderTest) -> None:
    port = manager.port()
    copy = InstalledCopy(manager.base / "lib")
    with running(manager, copy, group("a", port)):
        before = manager.pids("a")
        copy.install("9.1.0")
        with manager.clients(port, 2) as clients:
            done = manager.cli("upgrade", "--yes", "--no-restart")
            assert done.returncode == 0, done.stderr
            clients.wait_for_more(20)
        assert clients.failures == []
        assert manager.pids("a") == before
        assert all(process["former_runtime"] for process in manager.group("a")["processes"])
        assert "left in: a" in done.stderr
        os.kill(before[1], signal.SIGKILL)  # what died is followed by the version that took over
        manager.wait_for("a successor", lambda: manager.pids("a").get(1, before[1]) != before[1])
        assert manager.group("a")["state"] == "ready"


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("manager/main.py", "\nraise RuntimeError('half installed')\n", "half installed"),
        ("manager/supervision/recovery.py", "\ndef broken(:\n", "SyntaxError"),
        ("runtime/spawner/launch.py", "\ndef broken(:\n", "launch.py"),
        ("manager/store.py", "\nSCHEMA_VERSION = 0\n", "schema_version"),
    ],
)
def test_a_version_that_cannot_take_over_leaves_the_other_in_charge(
    manager: ManagerUnderTest, module: str, text: str, said: str
) -> None:
    port = manager.port()
    copy = InstalledCopy(manager.base / "lib")
    with running(manager, copy, group("a", port)) as process:
        manager.cli("scale", "a=2")  # so that there is a stored state
        before, version = manager.pids("a"), manager.status()["manager"]["version"]
        copy.install("9.1.0")
        assert (copy.package / module).exists()
        copy.damage(module, text)
        with manager.clients(port, 2) as clients:
            done = manager.cli("upgrade", "--yes")
            assert done.returncode == ExitCode.FAILED, done.stderr
            assert said in done.stderr
            clients.wait_for_more(20)
        assert clients.failures == []
        status = manager.status()["manager"]
        assert (status["pid"], status["version"], status["handovers"]) == (process.pid, version, 0)
        assert manager.pids("a") == before
        assert manager.cli("scale", "a=3").returncode == 0


def test_an_upgrade_asks_first(manager: ManagerUnderTest) -> None:
    copy = InstalledCopy(manager.base / "lib")
    with running(manager, copy, group("a", manager.port())):
        done = manager.cli("upgrade", stdin=subprocess.DEVNULL)
        assert done.returncode == ExitCode.USAGE
        assert "--yes" in done.stderr
        assert "No process has another runtime" in done.stderr
        assert manager.status()["manager"]["handovers"] == 0


def test_an_upgrade_is_refused_while_a_change_is_under_way(manager: ManagerUnderTest) -> None:
    copy = InstalledCopy(manager.base / "lib")
    lasting = f"{group('a', manager.port())}[groups.a.rollout]\nmin-ready-time = 60\n"
    with running(manager, copy, lasting):
        number = manager.cli("restart", "a", "--no-wait").stdout.strip()
        done = manager.cli("upgrade", "--yes")
        assert done.returncode == ExitCode.FAILED
        assert f"change {number} (restart) is under way" in done.stderr
        assert manager.status()["manager"]["handovers"] == 0


def test_a_signal_in_the_middle_is_followed(manager: ManagerUnderTest) -> None:
    copy = InstalledCopy(manager.base / "lib")
    with running(manager, copy, group("a", manager.port())) as process:
        assert manager.client.post("/v1/upgrade", {})["begun"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(HUNG_S) == 0
        assert "SIGTERM" in manager.log("manager")


def test_who_waits_for_events_hears_at_once_and_a_broken_file_changes_nothing(manager: ManagerUnderTest) -> None:
    copy = InstalledCopy(manager.base / "lib")
    with running(manager, copy, group("a", manager.port())):
        before = manager.pids("a")
        last = manager.client.get("/v1/events")["last"]
        heard: list[object] = []
        waiting = threading.Thread(
            target=lambda: heard.append(manager.client.get(f"/v1/events?after={last}&wait_s=50", wait_s=50))
        )
        waiting.start()
        manager.write("[groups.a\n")
        assert manager.cli("upgrade", "--yes").returncode == 0
        waiting.join(HUNG_S)
        assert len(heard) == 1
        assert manager.pids("a") == before
        texts = [event["text"] for event in manager.client.get("/v1/events")["events"]]
        assert any("taken over from version" in text for text in texts)
