"""From a file to answered requests, changes, and the end: the real command line, real processes, real applications."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from support.manager import APPS, HUNG_S, ManagerUnderTest

DOCS = Path(__file__).parents[3] / "docs"


def group(name: str, app: str, port: int, extra: str = "") -> str:
    return f'[groups.{name}]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{extra}\n'


def test_flask_and_django_are_served_and_everything_ends(manager: ManagerUnderTest) -> None:
    flask, django = manager.port(), manager.port()
    database = manager.base / "database"
    database.mkdir()
    database.chmod(0o777)
    text = group("blog", "flask_app:application", flask, "processes = 2\nthreads = 3")
    text += group(
        "shop",
        "django_site.wsgi:application",
        django,
        'environment.DJANGO_SETTINGS_MODULE = "django_site.settings"\n'
        f'environment.SITE_DATABASE = "{database}/site.db"',
    )
    done = manager.apply(text)
    assert "2 groups to add" in done.stdout
    assert manager.get(flask)[0] == 200
    assert manager.get(django)[0] == 200
    status = json.loads(manager.cli("status", "-o", "json").stdout)
    assert status["schema_version"] == 1
    assert status["revision"] == 1
    blog, shop = status["groups"]
    assert (blog["name"], blog["state"], blog["processes_wanted"], blog["processes_ready"]) == ("blog", "ready", 2, 2)
    assert (blog["threads"], blog["listen"], blog["last_error"]) == (3, [f"127.0.0.1:{flask}"], None)
    assert (blog["requests_total"], blog["status_2xx"], blog["status_5xx"], blog["refused"]) == (1, 1, 0, 0)
    assert blog["sent_bytes"] > 100
    assert 0 < blog["application_time_s"] < HUNG_S
    (served,) = [process for process in blog["processes"] if process["requests_total"]]
    assert 0 <= served["last_activity_age_s"] <= served["uptime_s"] + 1
    assert set(blog["processes"][0]) >= {
        "slot", "pid", "life", "state", "started_at", "uptime_s", "requests_total", "requests_active",
        "rss_bytes", "pss_bytes", "cpu_s",
    }  # fmt: skip
    assert blog["processes"][0]["rss_bytes"] > 1_000_000
    assert shop["python"].startswith("3.")
    described = re.findall(r"`(\w+)`", (DOCS / "status.md").read_text(encoding="utf-8"))
    assert {*status, *status["manager"], *blog, *blog["processes"][0]} <= {*described}
    assert manager.cli("status", "--check").returncode == 0


def test_an_identical_apply_changes_nothing(manager: ManagerUnderTest) -> None:
    text = group("blog", "hello_app:application", manager.port(), "processes = 2")
    manager.apply(text)
    before = manager.pids("blog")
    done = manager.apply(text)
    assert done.stdout == "No changes.\n"
    plan = manager.cli("plan", "--detailed-exitcode", str(manager.base / "groups.toml"))
    assert (plan.returncode, plan.stdout) == (0, "No changes.\n")
    assert manager.pids("blog") == before
    assert manager.status()["revision"] == 1


def test_changing_one_group_replaces_only_its_processes(manager: ManagerUnderTest) -> None:
    first, second = manager.port(), manager.port()
    manager.apply(group("a", "hello_app:application", first) + group("b", "hello_app:application", second))
    before_a, before_b = manager.pids("a"), manager.pids("b")
    text = group("a", "hello_app:application", first, "threads = 4") + group("b", "hello_app:application", second)
    plan = manager.cli("plan", "--detailed-exitcode", str(manager.write(text)))
    assert plan.returncode == 2
    assert "threads   15 → 4 " in plan.stdout
    manager.apply(text)
    assert manager.pids("b") == before_b
    assert not set(before_a.values()) & set(manager.pids("a").values())
    assert manager.group("a")["threads"] == 4


def test_live_options_touch_no_process(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "identity_app:application", port))
    before = manager.pids("a")
    priority = min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)  # an ordinary user can only go up from its own
    manager.apply(
        group(
            "a",
            "identity_app:application",
            port,
            f'shutdown-timeout = "9s"\ncpu-priority = {priority}\ndisplay-name = "%{{GROUP}}"',
        )
    )
    assert manager.pids("a") == before
    seen = manager.wait_for("the title arrives", lambda: (i := manager.identity(port))["title"] == "(wsgi:a)" and i)
    assert seen["nice"] == priority


def test_scale_is_drift_until_the_next_apply(manager: ManagerUnderTest) -> None:
    text = group("a", "hello_app:application", manager.port(), "processes = 2")
    manager.apply(text)
    before = manager.pids("a")
    assert manager.cli("scale", "a=4").returncode == 0
    assert len(manager.pids("a")) == 4
    assert before.items() <= manager.pids("a").items()
    plan = manager.cli("plan", str(manager.base / "groups.toml")).stdout
    assert "processes   4 → 2 " in plan
    assert "scaled by hand" in plan
    manager.apply(text)
    assert manager.pids("a") == before


def test_restart_is_rolling_and_loses_no_request(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port, "processes = 2"))
    before = set(manager.pids("a").values())
    with manager.clients(port, 4) as clients:
        for _ in range(3):
            assert manager.cli("restart", "a").returncode == 0
            clients.wait_for_more(50)
    assert clients.failures == []
    assert not before & set(manager.pids("a").values())
    assert len(manager.pids("a")) == 2


def test_stop_and_start(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port) + group("b", "hello_app:application", manager.port()))
    other = manager.pids("b")
    assert manager.cli("stop", "a").returncode == 0
    assert manager.group("a")["state"] == "stopped"
    assert manager.cli("status", "--check").returncode == 3
    assert manager.cli("start", "a").returncode == 0
    assert manager.get(port)[0] == 200
    assert manager.cli("start", "a").returncode == 0  # already running is no error
    assert manager.pids("b") == other


def test_removing_a_group_ends_its_processes_and_closes_its_port(manager: ManagerUnderTest) -> None:
    gone, stays = manager.port(), manager.port()
    manager.apply(group("a", "hello_app:application", gone) + group("b", "hello_app:application", stays))
    refused = manager.cli("apply", str(manager.write(group("b", "hello_app:application", stays))), stdin=-3)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    manager.apply(group("b", "hello_app:application", stays))
    assert [g["name"] for g in manager.status()["groups"]] == ["b"]
    assert not manager.listening(gone)


def test_a_renamed_group_takes_the_socket_over(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    with manager.clients(port, 2) as clients:
        manager.apply(group("b", "hello_app:application", port))
        clients.wait_for_more(20)
    assert clients.failures == []


def test_a_new_address_is_served_and_the_old_one_closed(manager: ManagerUnderTest) -> None:
    old, new = manager.port(), manager.port()
    manager.apply(group("a", "hello_app:application", old))
    manager.apply(group("a", "hello_app:application", new))
    assert manager.get(new)[0] == 200
    manager.wait_for("the old process has gone, and its socket", lambda: not manager.listening(old))


def test_a_taken_address_refuses_the_whole_apply(manager: ManagerUnderTest) -> None:
    import socket

    port, free = manager.port(), manager.port()
    manager.apply(group("a", "hello_app:application", free))
    before = manager.pids("a")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        text = group("a", "hello_app:application", free, "threads = 2") + group("b", "hello_app:application", port)
        done = manager.apply(text, code=1)
    assert f"cannot listen on 127.0.0.1:{port} for group 'b'" in done.stderr
    assert manager.pids("a") == before
    assert manager.group("a")["threads"] == 15


def test_yaml_is_equal_to_toml(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port))
    path = manager.base / "groups.yaml"
    path.write_text(
        f"version: 1\ngroups:\n  a:\n    app: hello_app:application\n    python-path: ['{APPS}']\n"
        f"    listen: ['127.0.0.1:{port}']\ndefaults: {{rollout: {{min-ready-time: 0}}}}\n"
    )
    assert manager.cli("apply", str(path)).stdout == "No changes.\n"


def test_unix_sockets_are_made_private_and_removed(manager: ManagerUnderTest) -> None:
    import socket

    path = manager.base / "a.sock"
    manager.apply(f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["unix:{path}"]\n')
    assert oct(path.stat().st_mode & 0o7777) == "0o600"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := sock.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert manager.cli("shutdown").returncode == 0
    assert not path.exists()


def test_history_and_rollback(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port, "threads = 2"))
    manager.apply(group("a", "hello_app:application", port, "threads = 3"))
    revisions = json.loads(manager.cli("history", "-o", "json").stdout)["revisions"]
    assert [(r["revision"], r["outcome"]) for r in revisions] == [(2, "done"), (1, "done")]
    assert manager.cli("rollback").returncode == 0
    assert manager.group("a")["threads"] == 2
    assert manager.status()["revision"] == 3


def test_exit_codes(manager: ManagerUnderTest) -> None:
    assert manager.cli("status").returncode == 6
    assert manager.cli("apply", str(manager.base / "nothing.toml")).returncode == 2
    manager.apply(group("a", "hello_app:application", manager.port()))
    assert manager.cli("restart", "b").returncode == 4
    assert manager.cli("status", "b").returncode == 4
    for command in (["status"], ["status", "--check"], ["why"]):
        assert manager.cli(*command, "a/1").returncode == 0
        missing = manager.cli(*command, "a/9")
        assert (missing.returncode, missing.stdout) == (4, "")
        assert "cannot find process 'a/9'" in missing.stderr
    assert manager.cli("scale", "a").returncode == 2
    assert manager.cli("frobnicate").returncode == 2


def test_logs_show_what_the_application_wrote(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("on purpose, before start_response", times=1)
    port = manager.port()
    manager.apply(group("a", "misbehaving_app:application", port))
    assert manager.get(port, "/raises-before-start")[0] == 500
    assert "Traceback" in manager.cli("logs", "-n", "100", "a").stdout


def test_a_second_manager_is_refused_and_the_first_goes_on(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", "hello_app:application", manager.port()))
    before = manager.pids("a")
    done = manager.cli("run")
    assert done.returncode == 1
    assert re.search(r"another one \(pid \d+\) holds", done.stderr)
    assert manager.pids("a") == before
