"""Signals to a manager that is on its way up, and commands to one that was stopped: a good end, an answer in time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest

from wsgigroups.manager import early_signals

pytestmark = pytest.mark.cold


def group(port: int) -> str:
    return f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'


def start(manager: ManagerUnderTest, *arguments: str) -> subprocess.Popen[bytes]:
    """Start one as `apply` does: signals wait until it can follow them."""
    manager.log_dir.mkdir(exist_ok=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, early_signals.HELD)
    try:
        with open(manager.log_dir / "foreground.log", "ab") as log:
            return subprocess.Popen(manager.command("run", *arguments), stdout=log, stderr=log)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# milliseconds: where an interpreter starts, imports, reads, takes its locks, serves, forks, is ready
@pytest.mark.parametrize(
    ("number", "moments"), [(signal.SIGTERM, (0, 50, 150, 300, 500, 700, 1000)), (signal.SIGINT, (0, 400))]
)
def test_an_end_that_is_asked_for_at_any_moment_is_a_good_one(
    manager: ManagerUnderTest, number: int, moments: tuple[int, ...]
) -> None:
    path = manager.write(group(manager.port()))
    for after_ms in moments:
        process = start(manager, str(path))
        assert outlives(process.pid, after_ms / 1000)
        process.send_signal(number)
        process.send_signal(number)
        assert not outlives(process.pid, 20)
        assert process.wait() == 0, f"after {after_ms} ms\n{manager.foreground_log()}"
        assert [found.name for found in manager.run_dir.rglob("*")] == []
    assert "Traceback" not in manager.foreground_log()


def test_an_end_at_twenty_random_moments_of_a_start(manager: ManagerUnderTest) -> None:
    path, seed = manager.write(group(manager.port())), random.randrange(2**32)
    chance = random.Random(seed)
    for part in range(20):
        after_s = (part + chance.random()) * 0.05
        process = start(manager, str(path))
        outlives(process.pid, after_s)
        for number in chance.choice([(15,), (15, 15), (1, 15), (2, 1), (10, 15, 1)]):
            process.send_signal(number)
        assert not outlives(process.pid, 20)
        what = f"part {part}, after {after_s * 1000:.1f} ms, seed {seed}"
        assert process.wait() == 0, f"{what}\n{manager.foreground_log()}"
        assert [found.name for found in manager.run_dir.rglob("*")] == [], what
    assert "Traceback" not in manager.foreground_log()


def test_one_that_asks_to_read_again_early_is_up(manager: ManagerUnderTest) -> None:
    path = manager.write(group(manager.port()))
    process = start(manager, str(path))
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        process.send_signal(number)
    manager.wait_for("it is up", lambda: manager.client.running() and manager.status()["groups"])
    manager.wait_for("it serves", lambda: manager.pids("a"))
    process.terminate()
    assert process.wait(20) == 0


def test_a_manager_that_is_stopped_is_named_at_once(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = group(port)
    manager.apply(text)
    pid = manager.manager_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        for command in (["status"], ["restart", "a"], ["apply", str(manager.base / "groups.toml")], ["shutdown"]):
            begun = time.monotonic()
            done = manager.cli(*command)
            assert time.monotonic() - begun < 15  # most of it is the start of an interpreter
            assert done.returncode == 6
            assert f"pid {pid} is stopped" in done.stderr
            assert f"kill -CONT {pid}" in done.stderr
        assert manager.get(port)[0] == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    assert manager.apply(text).stdout == "No changes.\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], True),
        (["--run-dir", "run", "status"], False),
        (["--run-dir=x", "-q", "--color", "never", "run", "a.toml"], True),
        (["logs", "run"], False),
        (["-v"], False),
        ([], False),
    ],
)
def test_only_the_manager_holds_signals(arguments: list[str], expected: bool) -> None:
    assert early_signals.is_manager(arguments) is expected
