"""What is forked from a process that has imported everything is what it would be if it were started for itself."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.faults import outlives
from support.looking import wait
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.warm import warm

COMMANDS = (
    ("--version",),
    ("status",),  # nothing runs
    ("restrat",),
    ("validate", "groups.toml"),
    ("validate", "missing.toml"),
    ("plan", "groups.toml"),
    ("plan", "-o", "json", "groups.toml"),
    ("explain", "processes"),
    ("render", "systemd"),
)
SAME = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs")


def text(manager: ManagerUnderTest) -> str:
    app = f'app = "identity_app:application"\npython-path = ["{APPS}"]'
    return f'[groups.a]\n{app}\nlisten = ["127.0.0.1:{manager.port()}"]\n'


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_says_and_ends_as_ever(manager: ManagerUnderTest, arguments: tuple[str, ...]) -> None:
    manager.write(text(manager))
    forked = manager.cli(*arguments, cwd=manager.base)
    manager.warm = None
    started = manager.cli(*arguments, cwd=manager.base)
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


def facts(pid: int) -> dict[str, Any]:
    """What the kernel knows of a manager, without numbers that each process has of its own."""
    status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
    opened = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # of a connection that has just ended
            opened[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    named = {fd: re.sub(r"\d+", "N", re.sub(r"/wg-\w+/", "/", name)) for fd, name in opened.items()}
    return {
        **{name: status[name] for name in SAME},
        "standard descriptors": [named[fd] for fd in range(3)],
        "descriptors": sorted(named.values()),
        "directory": os.readlink(f"/proc/{pid}/cwd"),
        "leads its session": os.getsid(pid) == os.getpgid(pid) == pid,
        "limits": Path(f"/proc/{pid}/limits").read_text(),
        "cgroup": Path(f"/proc/{pid}/cgroup").read_text(),
    }


def at_rest(pid: int) -> dict[str, Any]:
    """The same, when the connection of whoever asked last is gone."""
    looks: list[dict[str, Any]] = []

    def same() -> bool:
        looks.append(facts(pid))
        return looks[-2:-1] == looks[-1:]

    wait(same, lambda: str(looks[-2:]), HUNG_S)
    return looks[-1]


def test_a_manager_is_as_ever(manager: ManagerUnderTest) -> None:
    one = text(manager)
    manager.apply(one)
    assert psutil.Process(manager.manager_pid).ppid() == warm().process.pid
    forked = at_rest(manager.manager_pid)
    assert manager.cli("shutdown").returncode == 0
    manager.warm = None
    manager.apply(one)
    assert at_rest(manager.manager_pid) == forked


def test_a_manager_that_is_killed_is_reaped_and_its_children_are_ours(manager: ManagerUnderTest) -> None:
    one = text(manager)
    manager.apply(one)
    killed, (daemon,) = manager.manager_pid, manager.pids("a").values()
    os.kill(killed, signal.SIGKILL)
    assert not outlives(killed, HUNG_S)
    manager.apply(one)
    assert list(manager.pids("a").values()) == [daemon]


def test_a_command_that_hangs_is_killed(manager: ManagerUnderTest) -> None:
    manager.apply(text(manager))
    with pytest.raises(subprocess.TimeoutExpired):
        manager.cli("logs", "--follow", timeout_s=0.5)
    assert not psutil.Process(warm().process.pid).children()[1:]  # but the manager


def test_other_variables_are_started_with(manager: ManagerUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGIGROUPS_COLOR", "always")
    assert not warm().fits()
    assert "\x1b[" in manager.cli("validate", str(manager.write("nonsense = 1\n"))).stdout
