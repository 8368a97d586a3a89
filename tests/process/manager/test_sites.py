"""Sites from a file to a client: by the gateway that the manager starts, and by the routes that it tells it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clients import kept_alive
from support.faults import outlives
from support.manager import HUNG_S, ManagerUnderTest
from support.tree import ROOT

from wsgigroups.errors import WsgigroupsError

SAMPLES, CERTIFICATES = ROOT / "sample-configs", ROOT / "tests" / "support" / "certificates"
SCRIPT = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = "SCRIPT_NAME", "PATH_INFO", "SERVER_NAME", "wsgi.url_scheme", "mod_wsgi.process_group", "REMOTE_ADDR"
    return ["|".join(["{0}", *(environ[name] for name in names)]).encode("latin-1")]
"""


def script(manager: ManagerUnderTest, name: str) -> Path:
    path = manager.base / f"{name}.wsgi"
    path.write_text(SCRIPT.format(name))
    return path


def sample(manager: ManagerUnderTest, name: str, ports: dict[int, int]) -> str:
    """A sample as this machine can have it: other ports and places, and no accounts that are not there."""
    text = (SAMPLES / f"{name}.toml").read_text()
    for port, other in ports.items():
        text = text.replace(f'"0.0.0.0:{port}"', f'"127.0.0.1:{other}"')
    for site in ("site1", "site2"):
        text = text.replace(f"/srv/{site}/site.wsgi", str(script(manager, site)))
    text = text.replace("/etc/ssl/site1/fullchain.pem", str(CERTIFICATES / "one.crt"))
    text = text.replace("/etc/ssl/site1/privkey.pem", str(manager.base / "one.key"))
    text = text.replace("/var/log/wsgigroups", str(manager.log_dir))
    return re.sub(r'^(?:#:schema.*|version = 1|user = "\w+"|group = "\w+")$', "", text, flags=re.MULTILINE)


def ask(port: int, host: str, path: str = "/", *, tls: bool = False) -> list[str]:
    """What the application says of a request, asked on a connection of its own."""
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "one.crt"))
    context.check_hostname = False  # it is another's name
    if tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=HUNG_S, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)
    with contextlib.closing(connection):
        return asked_on(connection, host, path)


def asked_on(connection: http.client.HTTPConnection, host: str, path: str = "/") -> list[str]:
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    body = response.read().decode()
    assert response.status == 200, body
    return body.split("|")


def test_the_examples_of_the_documentation_are_served(manager: ManagerUnderTest) -> None:
    plain, secure = manager.port(), manager.port()
    # read by the manager, as the gateway's user where it is not root's alone
    (manager.base / "one.key").write_bytes((CERTIFICATES / "one.key").read_bytes())
    one, two = "www.site1.example.com", "www.site2.example.com"
    manager.apply(sample(manager, "apache-two-hosts", {80: plain}))
    assert ask(plain, one, "/a/b") == ["site1", "", "/a/b", one, "http", one, "127.0.0.1"]
    assert ask(plain, two)[:4] == ["site2", "", "/", two]
    assert ask(plain, "of-nobody.example.com")[3] == one  # the first site of the address
    logs = {group["name"]: group["log"] for group in manager.status()["groups"]}
    assert logs[two] == str(manager.log_dir / f"{two}-error.log")
    lines = (manager.log_dir / f"{two}-access.log").read_text().splitlines()
    assert [line.split('"')[1] for line in lines] == ["GET / HTTP/1.1"]

    manager.apply(sample(manager, "apache-http-and-https", {80: plain, 443: secure}))
    assert ask(plain, one)[:6] == ["site1", "", "/", one, "http", one]
    assert ask(secure, one, "/x", tls=True)[:6] == ["site1", "", "/x", one, "https", one]
    status = manager.status()
    assert [group["name"] for group in status["groups"]] == ["@gateway", one]
    assert [(site["name"], site["mounts"]) for site in status["gateway"]["sites"]] == [
        (one, {"/": one}),
        ("https", {"/": one}),
    ]
    assert "days" in manager.cli("status", "@gateway").stdout


@contextlib.contextmanager
def kept_connection(port: int) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)) as connection:
        yield connection


def test_a_route_changes_below_a_client_whoever_manages(manager: ManagerUnderTest) -> None:
    port, host = manager.port(), "www.example.org"
    app, more = script(manager, "app"), script(manager, "more")
    groups = f'[groups.blog]\nscript = "{app}"\n[groups.api]\nscript = "{more}"\n'
    site = f'[sites."{host}"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "blog"\n'
    root = f'[[sites."{host}".mounts]]\npath = "/"\n'
    deep = f'[[sites."{host}".mounts]]\npath = "/deep"\nscript = "{more}"\n'
    moved = f'[[sites."{host}".mounts]]\npath = "/deep"\nprocess-group = "api"\n'
    manager.apply(groups.partition("[groups.api]")[0] + site + root + deep)
    pids = manager.pids("@gateway")
    with kept_connection(port) as client:
        # two applications of one group, told apart by what the gateway says
        assert asked_on(client, host, "/deep/x")[:6] == ["more", "/deep", "/x", host, "http", "blog"]
        assert asked_on(client, host, "/deeper")[:6] == ["app", "", "/deeper", host, "http", "blog"]
        held = client.sock

        with kept_alive(lambda: asked_on(client, host)):
            said = manager.cli("plan", "-o", "json", str(manager.write(groups + site + root + moved))).stdout
        planned = json.loads(said)
        routes = {r["option"]: r for step in planned["steps"] for r in step["reasons"] if step["group"] == "@gateway"}
        reason = routes[f"sites.{host}.mounts./deep"]
        assert (reason["old"], reason["new"], reason["effect"]) == (f"blog ({more}:application)", "api", "live")
        with kept_alive(lambda: asked_on(client, host)):
            assert manager.change_to(groups + site + root + moved)["outcome"] == "done"
        assert asked_on(client, host, "/deep/x")[:6] == ["more", "/deep", "/x", host, "http", "api"]

        manager_died(manager)
        assert asked_on(client, host, "/deep/x")[5] == "api"
        with kept_alive(lambda: asked_on(client, host, "/deep/x")):
            assert manager.change_to(groups.partition("[groups.api]")[0] + site + root)["outcome"] == "done"
        assert asked_on(client, host, "/deep/x")[:6] == ["app", "", "/deep/x", host, "http", "blog"]
        assert client.sock is held
    assert manager.pids("@gateway") == pids
    assert [group["name"] for group in manager.status()["groups"]] == ["@gateway", "blog"]


def test_requests_of_each_site_are_counted_whatever_becomes_of_routes_and_processes(manager: ManagerUnderTest) -> None:
    port, app = manager.port(), script(manager, "app")
    text = f'[gateway]\nprocesses = 2\n[groups.blog]\nscript = "{app}"\n'

    def site(name: str) -> str:
        return (
            f'[sites."{name}"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "blog"\n'
            f'[[sites."{name}".mounts]]\npath = "/app"\n'
        )

    def counted() -> dict[str, int]:
        return {item["name"]: item["requests_total"] for item in manager.status()["gateway"]["sites"]}

    wanted = {"a.test": 0, "b.test": 0}

    def asked() -> bool:
        for name, path in (("a.test", "/app"), ("b.test", "/app"), ("a.test", "/app/x")):
            if name in wanted:
                ask(port, name, path)
                wanted[name] += 1
        manager.wait_for("all are counted", lambda: counted() == wanted)
        return True

    manager.apply(text + site("a.test") + site("b.test"))
    assert asked()
    manager.apply(text + site("c.test") + site("a.test") + site("b.test"))
    wanted["c.test"] = 0
    assert asked()
    manager.restart("@gateway")

    def stored() -> dict[str, int]:
        ended = json.loads((manager.state_dir / "state.json").read_text())["groups"]["@gateway"]["ended"]
        return {name: ended.get(f"sites.{name}", 0) for name in wanted}

    manager.wait_for("what has ended is counted for good", lambda: stored() == wanted)
    assert asked()
    manager_died(manager)
    assert asked()
    os.kill(manager.pids("@gateway")[1], signal.SIGKILL)
    assert asked()
    manager.apply(text + site("a.test"))
    del wanted["b.test"], wanted["c.test"]
    assert asked()
    printed = manager.cli("status").stdout
    assert "requests" in printed
    assert str(wanted["a.test"]) in printed


def manager_died(manager: ManagerUnderTest) -> None:
    """Kill it, and start the next one: by a command that wants to know nothing."""
    pid = manager.manager_pid
    os.kill(pid, signal.SIGKILL)
    assert not outlives(pid, HUNG_S)
    done = manager.cli("apply", "--yes", str(manager.base / "groups.toml"))
    assert done.returncode == 0, done.stderr
    assert "No changes." in done.stdout


def test_routes_that_cannot_be_used_change_nothing(manager: ManagerUnderTest) -> None:
    port, host = manager.port(), "www.example.org"
    app, files = script(manager, "app"), manager.base / "files"
    files.mkdir()
    site = (
        f'[groups.blog]\nscript = "{app}"\n[sites."{host}"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "blog"\n'
        f'[[sites."{host}".mounts]]\npath = "/"\n'
    )
    manager.apply(site)
    static = f'[[sites."{host}".static]]\npath = "/static"\ndirectory = "{files}/gone"\n'
    refused = manager.apply(site + static, code=2)
    assert f"error[WG0613]: there is no directory {files}/gone" in refused.stderr
    with pytest.raises(WsgigroupsError, match="cannot serve the directory"):
        manager.change_to(site + static)  # the manager looks itself
    assert ask(port, host)[0] == "app"
    assert manager.status()["revision"] == 1
    assert "No changes." in manager.apply(site).stdout
