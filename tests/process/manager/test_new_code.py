"""New code is a change: `plan` names the files, `apply` replaces the processes, and nothing else does."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from support.faults import outlives
from support.manager import HUNG_S, ManagerUnderTest

VIEW = 'def text():\n    return b"{}"\n'
WSGI = """
from blog.views import text
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text()]
"""


class Blog:
    """A package that says what version it is."""

    def __init__(self, manager: ManagerUnderTest, more: str = "") -> None:
        self.manager, self.port = manager, manager.port()
        self.top = manager.base / "srv"
        (self.top / "blog").mkdir(parents=True)
        for directory in (self.top, self.top / "blog"):
            directory.chmod(0o755)
        self.write("blog/__init__.py", "")
        self.write("blog/wsgi.py", WSGI)
        self.write("blog/views.py", VIEW.format("one"))
        self.text = (
            f'[groups.blog]\napp = "blog.wsgi:application"\npython-path = ["{self.top}"]\n'
            f'listen = ["127.0.0.1:{self.port}"]\nprocesses = 2\n{more}\n'
        )
        manager.apply(self.text)

    def write(self, name: str, text: str) -> None:
        """Write a file of it, readable for everybody."""
        path = self.top / name
        path.write_text(text)
        path.chmod(0o644)

    def says(self) -> bytes:
        """What is served."""
        return self.manager.get(self.port)[1]

    def plan(self) -> dict[str, Any]:
        """The plan for the same configuration."""
        done = self.manager.cli("plan", "-o", "json", str(self.manager.base / "groups.toml"))
        planned: dict[str, Any] = json.loads(done.stdout)
        return planned


def test_new_code_is_named_and_replaces_the_processes(manager: ManagerUnderTest) -> None:
    blog = Blog(manager)
    before = manager.pids("blog")
    assert blog.plan()["empty"]
    os.utime(blog.top / "blog" / "views.py", (1, 1))
    assert blog.plan()["empty"]  # a file that was touched is no other code
    blog.write("blog/views.py", VIEW.format("two"))
    blog.write("blog/models.py", "")
    (step,) = blog.plan()["steps"]
    (reason,) = step["reasons"]
    assert (step["kind"], reason["option"], reason["effect"]) == ("replace", "code", "replace")
    assert reason["files"] == [str(blog.top / "blog" / name) for name in ("models.py", "views.py")]
    assert blog.says() == b"one"
    done = manager.apply(blog.text)
    assert "No changes." not in done.stdout
    assert str(blog.top / "blog" / "views.py") in done.stdout
    assert set(manager.pids("blog").values()).isdisjoint(before.values())
    assert blog.says() == b"two"
    assert manager.apply(blog.text).stdout == "No changes.\n"


def test_a_change_is_done_when_the_old_code_takes_no_request_any_more(manager: ManagerUnderTest) -> None:
    """A process that is stopped cannot let go of the listener, and may take a request when it goes on."""
    blog = Blog(manager, 'shutdown-timeout = "1h"\n[groups.blog.rollout]\nmin-ready-time = 0\nmax-surge = 2')
    (stopped, other) = manager.pids("blog").values()
    blog.write("blog/views.py", VIEW.format("two"))
    os.kill(stopped, signal.SIGSTOP)
    try:
        number = manager.client.act("restart", {"groups": ["blog"]})["change"]

        def leaves() -> bool:
            group = manager.client.wait(number, wait_s=0.0)["groups"]["blog"]
            return group["ready"] == 2 and {p["pid"] for p in group["processes"]}.isdisjoint({other})

        manager.wait_for("all are followed, and the other has left", leaves)
        assert not manager.client.wait(number, wait_s=0.0)["finished"]
    finally:
        os.kill(stopped, signal.SIGCONT)
    change = manager.client.wait(number)
    while not change["finished"]:
        change = manager.client.wait(number, change["seen"])
    assert [blog.says() for _ in range(10)] == [b"two"] * 10


def test_broken_new_code_stays_a_change(manager: ManagerUnderTest) -> None:
    blog = Blog(manager)
    before = manager.pids("blog")
    blog.write("blog/views.py", "import nowhere\n")
    manager.apply(blog.text, code=8)
    assert (manager.pids("blog"), blog.says()) == (before, b"one")
    manager.apply(blog.text, code=8)  # no retry hides it
    manager.expect_in_log("No module named 'nowhere'")
    blog.write("blog/views.py", VIEW.format("two"))
    manager.apply(blog.text)
    assert blog.says() == b"two"


def test_a_restart_gets_the_new_code_and_leaves_no_change(manager: ManagerUnderTest) -> None:
    blog = Blog(manager)
    blog.write("blog/views.py", VIEW.format("two"))
    assert manager.cli("restart", "blog").returncode == 0
    assert blog.says() == b"two"
    assert blog.plan()["empty"]
    assert manager.cli("stop", "blog").returncode == 0
    blog.write("blog/views.py", VIEW.format("three"))
    assert manager.cli("start", "blog").returncode == 0
    assert blog.says() == b"three"
    assert blog.plan()["empty"]


def test_a_release_is_an_identity_and_nothing_is_looked_at(manager: ManagerUnderTest) -> None:
    blog = Blog(manager, 'release = "1"')
    blog.write("blog/views.py", VIEW.format("two"))
    assert blog.plan()["empty"]
    blog.text = blog.text.replace('release = "1"', 'release = "2"')
    manager.write(blog.text)
    (step,) = blog.plan()["steps"]
    assert [(r["option"], r["old"], r["new"]) for r in step["reasons"]] == [("release", "1", "2")]
    manager.apply(blog.text)
    assert blog.says() == b"two"


def test_what_is_watched_is_all_that_is_compared(manager: ManagerUnderTest) -> None:
    watched = manager.base / "watched"
    watched.mkdir()
    watched.chmod(0o755)
    (watched / "version").write_text("1")
    blog = Blog(manager, f'watch = ["{watched}"]')
    blog.write("blog/views.py", VIEW.format("two"))
    assert blog.plan()["empty"]
    (watched / "version").write_text("2")
    assert blog.plan()["steps"][0]["reasons"][0]["files"] == [str(watched / "version")]


def test_a_manager_that_follows_knows_the_code_of_what_runs(manager: ManagerUnderTest) -> None:
    """Code changes while nobody manages: that replaces nothing, and is a change for the next plan, with names."""
    blog = Blog(manager)
    before = manager.pids("blog")
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, HUNG_S)
    blog.write("blog/views.py", VIEW.format("two"))
    with manager.foreground():
        manager.wait_for("a manager", manager.client.running)
        assert manager.pids("blog") == before
        assert blog.plan()["steps"][0]["reasons"][0]["files"] == [str(blog.top / "blog" / "views.py")]
