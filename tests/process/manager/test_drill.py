"""`wsgigroups drill`: it proves that nothing is lost, or says what is, and refuses where it would prove nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.manager import APPS, ManagerUnderTest


def group(address: str, app: str = "hello_app", more: str = "") -> str:
    return f'[groups.a]\napp = "{app}:application"\npython-path = ["{APPS}"]\nlisten = ["{address}"]\n{more}'


def drill(manager: ManagerUnderTest, *options: str, code: int = 0) -> dict[str, Any]:
    done = manager.cli("drill", "a", "--yes", "-o", "json", *options, timeout_s=300)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}\n{manager.log('manager')}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ended(found: dict[str, Any]) -> set[str]:
    """The phases in which a connection ended that was not said to end.

    Only those of the process that crashed do; a client that has little of a processor notices it in the next phase.
    """
    return {phase["name"] for phase in found["phases"] if phase["closed"] or phase["repeated"]}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_nothing_is_lost(manager: ManagerUnderTest, unix: bool) -> None:
    address = f"unix:{manager.base}/a.sock" if unix else f"127.0.0.1:{manager.port()}"
    manager.apply(group(address, more="processes = 2\n"))
    found = drill(manager, "--restarts", "1", "--requests", "800", "--manager")
    assert [phase["name"] for phase in found["phases"]] == ["quiet", "restart 1", "crash", "recycle", "manager"]
    assert found["lost"] == 0
    assert found["losses"] == []
    assert found["sent"] == found["answered"] >= 800
    assert ended(found) <= {"crash", "recycle"}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_nothing_is_lost_in_many_restarts_and_while_scaling(manager: ManagerUnderTest, unix: bool) -> None:
    """Together a fifth of what docs/drill.md has for a release; nothing here depends on how long it takes."""
    address = f"unix:{manager.base}/a.sock" if unix else f"127.0.0.1:{manager.port()}"
    manager.apply(group(address, more="processes = 4\n[groups.a.rollout]\nmin-ready-time = 0\n"))
    options = ("--restarts", "10", "--requests", "10000", "--clients", "40", "--scale", "8", "--scale", "2")
    found = drill(manager, *options, "--timeout", "5m")
    names = [phase["name"] for phase in found["phases"]]
    assert [name for name in names if name.startswith("scale")] == ["scale 8", "scale 2", "scale 4"]
    assert names.index("restart 3") < names.index("scale 8") < names.index("restart 4")
    assert names.index("restart 8") < names.index("scale 4") < names.index("restart 9")
    assert sum(name.startswith("restart") for name in names) == 10
    assert found["lost"] == 0, found["losses"]
    assert found["sent"] == found["answered"] >= 10000
    assert ended(found) <= {"crash", "recycle"}, found["phases"]
    (status,) = json.loads(manager.cli("status", "-o", "json").stdout)["groups"]
    assert (status["processes_wanted"], status["processes_ready"], status["scaled"]) == (4, 4, False)


def test_it_says_what_it_does_and_what_came_of_it(manager: ManagerUnderTest) -> None:
    manager.apply(group(f"127.0.0.1:{manager.port()}"))
    done = manager.cli("drill", "a", "--yes", "--restarts", "0", "--requests", "90", "--clients", "3")
    assert done.returncode == 0, done.stderr
    assert "  - end one process of a with SIGKILL\n" in done.stderr
    assert "restart a" not in done.stderr
    assert done.stdout.splitlines()[0].split()[:4] == ["sent", "answered", "lost", "late"]
    assert done.stdout.splitlines()[-1].startswith("Nothing was lost: ")


def test_a_group_that_cuts_requests_off_loses_them(manager: ManagerUnderTest) -> None:
    manager.apply(group(f"127.0.0.1:{manager.port()}", "slow_app", 'shutdown-timeout = "50ms"\n'))
    found = drill(manager, "--restarts", "1", "--requests", "20", "--path", "/0.5", code=1)
    assert found["lost"] > 0
    assert any(text.startswith("restart 1: ") for text in found["losses"])
    assert found["phases"][0]["lost"] == 0


def test_it_refuses_what_proves_nothing(manager: ManagerUnderTest) -> None:
    manager.apply(group(f"127.0.0.1:{manager.port()}"))
    assert manager.cli("drill", "b", "--yes").returncode == 4
    done = manager.cli("drill", "a")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    manager.cli("stop", "a")
    done = manager.cli("drill", "a", "--yes")
    assert done.returncode == 3
    assert "it is stopped, not ready" in done.stderr
