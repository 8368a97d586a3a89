"""`status GROUP`, `status --check --for`, `history REVISION`: a closer look, with a manager that answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from support.manager import APPS, HUNG_S, ManagerUnderTest


def configured(manager: ManagerUnderTest, more: str = "", port: int | None = None) -> str:
    text = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n{more}\n'
    return f'{text}listen = ["127.0.0.1:{port or manager.port()}"]\n'


def test_a_named_group_says_how_it_is_set_and_what_happened(manager: ManagerUnderTest) -> None:
    manager.apply(
        configured(manager, 'threads = 3\nrequest-timeout = "90s"\nenvironment = { TOKEN = "hunter2", PLAIN = "x" }')
    )
    shown = manager.cli("status", "blog").stdout
    for text in (
        "blog/1",
        "pid ",
        "request-timeout 1m30s",
        "threads 3",
        "PLAIN, TOKEN (values are not shown)",
        "hello_app:application",
        "ready           blog/1",
        str(manager.log_dir / "blog.log"),
    ):
        assert text in shown, text
    assert "hunter2" not in shown
    assert "P99" in shown, "what is no terminal has all columns"
    assert "graceful-timeout" not in shown, "defaults are not told"
    assert "request-timeout" not in manager.cli("status").stdout
    assert "what happened last" not in manager.cli("status", "blog/1").stdout, "one process is not its group"
    details = manager.client.group("blog")
    assert details["variables"] == ["PLAIN", "TOKEN"]
    assert "hunter2" not in json.dumps(details)
    assert [(process["slot"], process["threads"], process["busy"]) for process in details["processes"]] == [(1, 3, [])]


def test_a_check_that_lasts_sees_a_process_that_was_replaced(manager: ManagerUnderTest) -> None:
    manager.apply(configured(manager, "processes = 2"))
    assert manager.cli("status", "--check", "--for", "1s").returncode == 0
    victim = manager.pids("blog")[1]
    command = manager.command("status", "--check", "--for", f"{HUNG_S:g}s")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as checking:
        before = manager.group("blog")["restarts"]
        while checking.poll() is None:  # it may have looked for the first time only after one of them
            os.kill(victim, signal.SIGKILL)
            manager.wait_for("another", lambda v=victim: manager.pids("blog").get(1) not in (None, v))
            victim = manager.pids("blog")[1]
        assert manager.group("blog")["restarts"] > before
        assert checking.stderr is not None
        assert "not ready: blog" in checking.stderr.read()
    assert checking.returncode == 3
    assert manager.cli("status", "--for", "1s").returncode == 2


def test_a_revision_is_shown_beside_the_one_before(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(configured(manager, 'environment = { TOKEN = "hunter2" }', port))
    manager.apply(configured(manager, 'threads = 7\nenvironment = { TOKEN = "hunter3" }', port))
    shown = manager.cli("history", "2").stdout
    assert "revision 2, accepted at " in shown
    assert "beside revision 1:" in shown
    assert "  + groups.blog.threads: 7\n" in shown
    assert "  ~ groups.blog.environment.TOKEN: set → changed\n" in shown
    assert "hunter" not in shown
    found = json.loads(manager.cli("history", "2", "-o", "json").stdout)
    assert found["before"] == 1
    assert found["revision"]["running"]
    assert found["revision"]["ended_at"]
    first = manager.cli("history", "1").stdout
    assert "no revision before it is kept" in first
    assert "hunter" not in first
    missing = manager.cli("history", "9")
    assert missing.returncode == 1
    assert "cannot find revision 9" in missing.stderr


def test_what_was_rolled_back_is_named_until_something_else_comes_true(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("No module named")
    port = manager.port()
    manager.apply(configured(manager, port=port))
    assert manager.status()["rolled_back"] is None
    broken = configured(manager, port=port).replace("hello_app:", "no_such_module:")
    manager.apply(broken, code=8)
    undone = manager.status()["rolled_back"]
    assert undone["revision"] == 2
    last = manager.cli("status").stdout.splitlines()[-1]
    assert last.startswith("revision 1 (2 was rolled back ")
    assert f"manager {manager.manager_pid}, up " in last
    manager.apply(configured(manager, "threads = 4", port))
    assert manager.status()["rolled_back"] is None


def test_a_group_that_is_not_there_has_no_details(manager: ManagerUnderTest) -> None:
    manager.apply(configured(manager))
    for name in ("shop", "a/b", "blog?x=1"):
        with pytest.raises(Exception, match="cannot find group"):
            manager.client.group(name)


def test_requests_a_second_come_to_be_known(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(configured(manager, port=port))

    def asked() -> float | None:
        manager.get(port)
        rate: float | None = manager.group("blog")["requests_per_s"]
        return rate

    assert manager.wait_for("a rate", asked) > 0
