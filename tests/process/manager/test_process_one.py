"""A manager as process 1 of a container: it reaps what is left to it, takes none of it for its own, and ends well."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from support.faults import outlives
from support.looking import pause
from support.manager import APPS, HUNG_S, ManagerUnderTest

pytestmark = pytest.mark.root
ROUNDS, AT_ONCE = 10, 200
NOBODY = 65534
STRANGERS = f"""
import os, signal
read_end, write_end = os.pipe()
for number in range({AT_ONCE}):
    if os.fork() == 0:
        os.close(write_end)
        os.read(read_end, 1)  # until the parent has ended
        if number % 5 == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit((0, 3, 4, 255)[number % 5])
"""


@contextlib.contextmanager
def container(
    manager: ManagerUnderTest, *arguments: str, where: Sequence[str] = (), before: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A manager that is process 1 of a name space: unshare(1), which ends as it does, and itself.

    where: other directories; before: a command that executes it, as another user say.
    """
    manager.log_dir.mkdir(exist_ok=True)
    manager_command = [*manager.command(), *where, "run", *arguments]
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *before, *manager_command]
    with open(manager.log_dir / "foreground.log", "ab") as log:
        outer = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + HUNG_S
        while not (children := psutil.Process(outer.pid).children()):
            assert time.monotonic() < until, "nothing was started"
            pause()
        yield outer, children[0]
    finally:
        if outer.poll() is None:
            outer.kill()
        outer.wait(HUNG_S)


def group(port: int) -> str:
    return f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'


def has(pid: int, mask: str, number: int) -> bool:
    """Whether a signal is in a mask of proc(5): SigCgt, it has a handler; SigBlk, it waits.

    Process 1 never gets one with neither (pid_namespaces(7)).
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{mask}:"))
    return bool(int(found.split()[1], 16) & (1 << (number - 1)))


# milliseconds after it listens: it imports, reads, takes its locks, serves, forks, is ready
@pytest.mark.parametrize("after_ms", [0, 50, 200, 500, 1000])
def test_it_ends_well_as_soon_as_it_has_begun(manager: ManagerUnderTest, after_ms: int) -> None:
    with container(manager, str(manager.write(group(manager.port())))) as (outer, inner):
        until = time.monotonic() + HUNG_S
        while not has(inner.pid, "SigCgt", signal.SIGTERM):
            assert time.monotonic() < until, "it does not listen to SIGTERM"
            pause()
        assert outlives(inner.pid, after_ms / 1000)
        inner.send_signal(signal.SIGTERM)
        assert not outlives(outer.pid, HUNG_S)
        assert outer.wait() == 0, manager.foreground_log()


def test_a_stop_before_it_has_begun_waits_where_a_containerfile_of_ours_starts_it(manager: ManagerUnderTest) -> None:
    gate = manager.base / "gate"
    os.mkfifo(gate)
    before = ["env", "--block-signal=TERM", "sh", "-c", f'read -r _ <{gate}; exec "$@"', "sh"]
    with container(manager, str(manager.write(group(manager.port()))), before=before) as (outer, inner):
        until = time.monotonic() + HUNG_S
        # unshare(1) has it blocked too while it forks, and what came by then would be lost
        while inner.name() != "sh" or not has(inner.pid, "SigBlk", signal.SIGTERM):
            assert time.monotonic() < until, "it would lose the signal"
            pause()
        inner.send_signal(signal.SIGTERM)
        gate.write_text("begin\n")
        assert not outlives(outer.pid, HUNG_S)
        assert outer.wait() == 0, manager.foreground_log()


def test_a_volume_that_everybody_can_write_is_a_place_for_its_directories(manager: ManagerUnderTest) -> None:
    volume = manager.base / "volume"
    volume.mkdir()
    volume.chmod(0o2777)
    where = [f"--run-dir={volume}", f"--state-dir={volume}/state", f"--log-dir={volume}/log"]
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env", "HOME=/"]
    path = manager.write(group(manager.port()))

    def inside(*arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in the container."""
        enter = ["nsenter", "--pid", "--mount", f"--target={inner.pid}"]
        return subprocess.run(
            [*enter, *user, *manager.command(), *where, *arguments], capture_output=True, text=True, timeout=HUNG_S,
            check=False,
        )  # fmt: skip

    with container(manager, str(path), where=where, before=user) as (outer, inner):
        own = volume / f"wsgigroups-{NOBODY}"
        manager.wait_for("it answers", lambda: (own / "control.sock").exists() and not inside("status").returncode)
        assert own.stat().st_uid == NOBODY
        assert volume.stat().st_mode & 0o7777 == 0o2777, "it is root's"
        inner.send_signal(signal.SIGTERM)
        assert outer.wait(HUNG_S) == 0, manager.foreground_log()


@pytest.mark.measured
def test_strangers_are_reaped_within_a_second_and_are_nobody(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with container(manager, str(manager.write(group(port)))) as (outer, inner):
        manager.wait_for("it is up", lambda: manager.client.running() and manager.status()["groups"])
        manager.wait_for("it is ready", lambda: manager.group("a")["state"] == "ready")
        assert manager.get(port)[0] == 200
        before = manager.group("a")["processes"]
        kept = {child.pid for child in inner.children()}
        for _round in range(ROUNDS):
            subprocess.run(
                ["nsenter", "--pid", "--mount", f"--target={inner.pid}", sys.executable, "-c", STRANGERS],
                check=True, timeout=HUNG_S,
            )  # fmt: skip
            until = time.monotonic() + 1.0
            while (left := {child.pid for child in inner.children()}) != kept:
                assert time.monotonic() < until, f"not reaped: {left - kept}"
                pause()
        after = manager.group("a")["processes"]
        for known in ("slot", "life", "pid", "state"):
            assert [process[known] for process in after] == [process[known] for process in before]
        assert manager.get(port)[0] == 200
        said = [line for line in manager.foreground_log().splitlines() if "exit code" in line or "signal" in line]
        assert said == []
        inner.send_signal(signal.SIGTERM)
        assert outer.wait(HUNG_S) == 0
