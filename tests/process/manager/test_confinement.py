"""Confinement through the manager: asked for in the configuration, planned, enforced, and shown."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.faults import outlives
from support.manager import APPS, HUNG_S, ManagerUnderTest

from wsgigroups.runtime.confinement import landlock

pytestmark = pytest.mark.skipif(landlock.abi() < 3, reason="takes Landlock of Linux 6.2")


def text(port: int, options: str = "") -> str:
    group = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f"{group}processes = 2\nthreads = 2\n{options}\n"


ALL = """
read-only-paths = ["/"]
protect-home = "read-only"
restrict-namespaces = true
restrict-address-families = ["AF_UNIX", "AF_INET", "AF_INET6"]
system-call-filter = ["@system-service"]
"""


def test_requested_and_effective(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(text(port))
    assert manager.group("blog")["confinement"] == {}
    assert manager.group("blog")["processes"][0]["confinement"] == {}
    before = manager.pids("blog")
    planned = manager.cli("plan", str(manager.write(text(port, ALL), "more.toml"))).stdout
    for option in ("read-only-paths", "protect-home", "restrict-namespaces", "system-call-filter"):
        assert option in planned
    assert "replace" in planned
    manager.apply(text(port, ALL))
    assert not set(manager.pids("blog").values()) & set(before.values())
    assert manager.get(port)[0] == 200
    group = manager.group("blog")
    assert group["confinement"]["confinement"] == "best-effort"
    assert group["confinement"]["read-only-paths"] == "/"
    options = set(group["confinement"]) - {"confinement"}
    assert len(options) == 5
    for process in group["processes"]:
        if process["pid"] in before.values():  # it is on its way out, and was asked for nothing
            assert process["confinement"] == {}
            continue
        assert process["confinement"] == {option: {"state": "enforced", "reason": ""} for option in options}
        status = Path(f"/proc/{process['pid']}/status").read_text()
        assert "\nSeccomp:\t2\n" in status
        assert "\nSeccomp_filters:\t3\n" in status
    shown = manager.cli("status", "blog").stdout
    assert "blog: confinement best-effort" in shown
    assert "  read-only-paths /\n    enforced\n" in shown
    assert "confinement" not in manager.cli("status").stdout


def test_what_cannot_be_done_is_shown_or_ends_the_start(manager: ManagerUnderTest) -> None:
    """A path that is not there: nothing could be hidden if it came later."""
    port, options = manager.port(), 'inaccessible-paths = ["/nowhere/at/all", "/srv"]'
    manager.apply(text(port, options))
    assert manager.get(port)[0] == 200
    outcome = manager.group("blog")["processes"][0]["confinement"]["inaccessible-paths"]
    assert outcome["state"] != "enforced"
    shown = manager.cli("status", "blog").stdout
    assert outcome["reason"][:40] in shown
    before = manager.pids("blog")
    done = manager.apply(text(port, options + '\nconfinement = "required"'), code=8)
    assert "cannot confine the process as required: inaccessible-paths" in done.stdout + done.stderr
    assert manager.pids("blog") == before, "the old processes serve on"
    assert manager.get(port)[0] == 200


def test_a_manager_that_follows_does_not_know(manager: ManagerUnderTest) -> None:
    """It says so, and does not call enforced what it was not told."""
    port = manager.port()
    manager.apply(text(port, 'read-only-paths = ["/"]'))
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, HUNG_S)
    assert manager.cli("apply", "--yes", str(manager.base / "groups.toml")).returncode == 0
    states = [process["confinement"]["read-only-paths"]["state"] for process in manager.group("blog")["processes"]]
    assert states == ["unknown", "unknown"]
