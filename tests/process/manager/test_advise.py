"""`wsgigroups advise` about what runs, and `processes = "auto"` in plan and in what is started."""

from __future__ import annotations

import json

from support.clients import BackgroundGet
from support.manager import APPS, ManagerUnderTest


def test_what_runs_is_reckoned_with(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = f'[groups.blog]\napp = "slow_app:application"\npython-path = ["{APPS}"]\nthreads = 1\n'
    manager.apply(f'{text}listen = ["127.0.0.1:{port}"]\n')
    assert "0 requests are too few" in manager.cli("advise").stdout
    for _ in range(120):
        manager.get(port, "/")
    with BackgroundGet(port, "/4") as first:
        manager.wait_for("the thread is taken", lambda: manager.group("blog")["requests_active"] == 1)
        with BackgroundGet(port, "/0") as second:
            assert second() is not None
        assert first() is not None
    done = manager.cli("advise", "blog", "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (blog,) = found["groups"]
    assert blog["requests"] == 122
    assert found["processors"] >= 0.1
    assert blog["queue_mean_s"] > 0.01
    (advice,) = blog["advice"]
    # a machine that is busy otherwise wakes the process late, which looks like a want of processors
    assert advice["option"] in ("threads", "processes")
    assert (advice["now"], advice["advised"]) == ("1", "2")
    assert f"→ {advice['option']} = 2  (now 1)" in manager.cli("advise").stdout
    watched = manager.cli("advise", "--for", "1s").stdout
    assert "0 requests are too few" in watched
    assert manager.cli("advise", "nosuch").returncode == 4


def test_processes_left_to_the_machine(manager: ManagerUnderTest) -> None:
    text = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nprocesses = "auto"\n'
    text += f'listen = ["127.0.0.1:{manager.port()}"]\n'
    planned = manager.cli("plan", str(manager.write(text)))
    assert "one process for each" in planned.stdout + planned.stderr
    manager.apply(text)
    status = manager.group("blog")
    assert status["processes_ready"] == status["processes_wanted"] >= 1
    again = manager.apply(text)
    assert "No changes." in again.stdout + again.stderr
    shown = manager.cli("config", "show", str(manager.write(text))).stdout
    assert "auto" in shown
