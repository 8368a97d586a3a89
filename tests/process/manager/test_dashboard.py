"""The dashboard of a real manager, and `wsgigroups web`: who gets a link, what is shown, and what outlives what."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.dashboards import DashboardClient
from support.manager import APPS, HUNG_S, ManagerUnderTest


def group(name: str, app: str, port: int, extra: str = "") -> str:
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    return f'[groups.{name}]\napp = "{app}:application"\n{where}{extra}\n'


def server(port: int) -> str:
    return f'[server]\ndashboard = "127.0.0.1:{port}"\n'


def entered(manager: ManagerUnderTest, port: int) -> DashboardClient:
    asked = manager.cli("web", "--link")
    assert asked.returncode == 0, asked.stderr
    link = asked.stdout.strip()
    assert link.startswith(f"http://127.0.0.1:{port}/#token=")
    client = DashboardClient(port)
    assert client.enter(link)[0] == 200
    return client


def told(events: Iterator[tuple[str, Any]], kind: str, wanted: Any) -> Any:
    """Return the first such event of a stream, which would go on for ever."""
    ends = time.monotonic() + HUNG_S
    for name, data in events:
        if name == kind and wanted(data):
            return data
        assert time.monotonic() < ends, f"no such {kind} among them: the last was {data}"
    raise AssertionError("the stream has ended")


@contextmanager
def web(manager: ManagerUnderTest, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `wsgigroups web`: its link, and the process."""
    process = subprocess.Popen(
        manager.command("web", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=HUNG_S)[1]
    assert "Traceback" not in said, "pages that leave are nobody's mistake"


def port_of(link: str) -> int:
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=\S+", link)
    assert found, link
    return int(found[1])


def test_the_manager_shows_what_happens(manager: ManagerUnderTest) -> None:
    port, own = manager.port(), manager.port()
    manager.apply(server(own) + group("a", "printing_app", port, "processes = 2"))
    victim = manager.pids("a")[1]
    client = entered(manager, own)
    with client.stream("/v1/stream") as events:
        look = told(events, "look", lambda data: not data["stale"])
        assert [(row["name"], row["ready"]) for row in look["groups"]] == [("a", 2)]
        os.kill(victim, signal.SIGKILL)
        assert told(events, "events", lambda found: any(event["kind"] == "died" for event in found))
    manager.wait_for("it is followed", lambda: manager.pids("a").get(1) not in (None, victim))
    found = client.get("/v1/groups/a")
    assert found["deaths"][0]["cause"] == "killed"
    assert len(found["processes"]) == 2
    assert len(client.get("/v1/charts?group=a")["memory_bytes"]) >= 1
    manager.get(port)
    with client.stream("/v1/logs/a") as lines:
        assert told(lines, "lines", lambda data: any("said /" in line for line in data["lines"]))
    for path in ("/v1/status", "/metrics", "/livez"):
        assert client.ask("GET", path)[0] == 404
    assert client.ask("POST", "/v1/actions", {"action": "restart", "group": "a"})[0] == 403
    assert client.ask("POST", "/v1/restart", {"groups": ["a"]})[0] == 404


def everything(client: DashboardClient) -> str:
    """All that a page is told of the group a."""
    with client.stream("/v1/stream") as events:
        found: list[Any] = [told(events, "look", lambda data: not data["stale"])]
        found.append(told(events, "events", lambda data: any(event["kind"] == "change-ended" for event in data)))
    with client.stream("/v1/logs/a") as lines:
        found.append(next(lines))
    found += [client.get(path) for path in ("/v1/groups/a", "/v1/charts?group=a", "/v1/changes/2")]
    return json.dumps(found)


def test_of_the_environment_names_alone_are_shown(manager: ManagerUnderTest) -> None:
    port, own = manager.port(), manager.port()
    for secret in ("hunter2", "hunter3"):
        environment = f'environment = {{ TOKEN = "{secret}" }}'
        manager.apply(server(own) + group("a", "hello_app", port, environment))
    shown = everything(entered(manager, own))
    with web(manager) as (link, _process):
        client = DashboardClient(port_of(link))
        client.enter(link)
        shown += everything(client)
    assert shown.count('"TOKEN"') == 2
    assert "hunter" not in shown


def test_where_it_is_shown_is_changed_by_an_apply_and_outlives_an_upgrade(manager: ManagerUnderTest) -> None:
    port, own, other = manager.port(), manager.port(), manager.port()
    manager.apply(group("a", "hello_app", port))
    refused = manager.cli("web", "--link")
    assert refused.returncode == 1
    assert "dashboard = " in refused.stderr
    manager.apply(server(own) + group("a", "hello_app", port))
    pids = manager.pids("a")
    client = entered(manager, own)
    manager.apply(server(other) + group("a", "hello_app", port))
    with pytest.raises(ConnectionRefusedError):
        client.get("/v1/charts")
    client.port = other
    assert client.ask("GET", "/v1/groups/a")[0] == 401, "the page would have sent it to whoever took the port"
    client = entered(manager, other)
    assert client.ask("GET", "/v1/groups/a")[0] == 200
    assert manager.cli("upgrade", "--yes", "--no-restart").returncode == 0
    manager.wait_for("the next version answers", lambda: manager.status()["manager"]["handovers"] == 1)
    assert client.ask("GET", "/v1/groups/a")[0] == 401, "sessions end with the version that opened them"
    assert entered(manager, other).get("/v1/groups/a")["name"] == "a"
    assert manager.pids("a") == pids


def test_a_command_shows_the_same_as_its_caller_and_goes_on_over_the_end_of_a_manager(
    manager: ManagerUnderTest,
) -> None:
    port = manager.port()
    text = group("a", "printing_app", port)
    manager.apply(text)
    with web(manager) as (link, process):
        client = DashboardClient(port_of(link))
        assert client.enter(link)[0] == 200
        assert process.stdout is not None
        assert port_of(process.stdout.readline().strip()) == client.port, "another link, for another browser"
        assert client.ask("POST", "/v1/actions", {"action": "restart", "group": "a"})[0] == 403
        manager.get(port)
        with client.stream("/v1/logs/a") as lines:
            assert told(lines, "lines", lambda data: any("said /" in line for line in data["lines"]))
        with client.stream("/v1/stream") as events:
            assert told(events, "look", lambda data: not data["stale"])["groups"][0]["name"] == "a"
            os.kill(manager.manager_pid, signal.SIGKILL)
            assert "no manager is running" in told(events, "look", lambda data: data["stale"])["stale"]
            manager.apply(text)
            told(events, "look", lambda data: not data["stale"])
    assert process.returncode == 0


def test_a_command_changes_what_it_may_when_it_was_told_so(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", "hello_app", manager.port()))
    with web(manager, "--allow-changes") as (link, _process):
        client = DashboardClient(port_of(link))
        assert client.enter(link)[1]["acts"] is True
        status, _head, _body = client.ask("POST", "/v1/actions", {"action": "scale", "group": "a", "processes": 2})
        assert status == 200
        manager.wait_for("there are two", lambda: len(manager.pids("a")) == 2)
        status, _head, body = client.ask("POST", "/v1/actions", {"action": "restart", "group": "none"})
        assert status == 404
        assert b"none" in body


def test_a_command_says_why_it_cannot(manager: ManagerUnderTest) -> None:
    assert manager.cli("web").returncode == 6
    port = manager.port()
    manager.apply(group("a", "hello_app", port))
    for wrong in ("0.0.0.0:9000", "unix:/tmp/a", "nowhere"):
        assert manager.cli("web", "--listen", wrong).returncode == 2
    taken = manager.cli("web", "--listen", f"127.0.0.1:{port}")
    assert taken.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in taken.stderr
    assert manager.cli("web", "--link", "--allow-changes").returncode == 2


@pytest.mark.root
def test_who_may_only_read_gets_no_link_to_logs(manager: ManagerUnderTest) -> None:
    own = manager.port()
    manager.apply(server(own) + group("a", "hello_app", manager.port()))
    assert manager.cli_as(65534, "web", "--link").returncode == 5
