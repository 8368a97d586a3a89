"""Sites whose certificates an authority makes: ordered, proved, renewed and told, with a real authority on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clients import kept_alive
from support.faults import outlives
from support.looking import pause
from support.manager import HUNG_S, ManagerUnderTest
from support.nginx import NGINX
from support.pebble import Authority, made_pair, pebble

from wsgigroups.config import load

DAY_S = 86400.0


@contextlib.contextmanager
def authority(manager: ManagerUnderTest, http: int, tls: int, name: str = "one") -> Iterator[Authority]:
    directory = manager.base / name
    directory.mkdir()
    with pebble(directory, manager.port(), manager.port(), http, tls) as found:
        yield found


def configured(manager: ManagerUnderTest, ca: Authority, sites: str, challenge: str = "tls-alpn-01") -> str:
    script = manager.base / "app.wsgi"
    script.write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [environ['SERVER_NAME'].encode()]\n"
    )
    return (
        f'[groups.blog]\nscript = "{script}"\n{sites}\n[gateway]\nacme-directory = "{ca.directory}"\n'
        f'acme-ca-file = "{ca.ca_file}"\nacme-terms-agreed = true\nacme-challenge = "{challenge}"\n'
    )


def site(name: str, port: int, *, more: str = "", tls: bool = True) -> str:
    secured = 'certificate = "acme"\n' if tls else ""
    return (
        f'[sites."{name}"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "blog"\n{secured}{more}'
        f'[[sites."{name}".mounts]]\npath = "/"\n'
    )


def orders(manager: ManagerUnderTest) -> dict[str, Any]:
    return {item["sites"][0]: item for item in manager.status()["gateway"]["orders"]}


def planned(manager: ManagerUnderTest, text: str) -> dict[str, Any]:
    configuration = load([manager.write(text)]).configuration
    assert configuration
    found: dict[str, Any] = manager.client.post("/v1/plan", {"configuration": configuration.to_document()})
    return found


def wait(manager: ManagerUnderTest, fact: Callable[[], bool]) -> None:
    until = time.monotonic() + HUNG_S
    while not fact():
        assert time.monotonic() < until, f"{orders(manager)}\n{manager.log('manager')}"
        pause()


@contextlib.contextmanager
def secured(port: int, name: str, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:

    connected = socket.create_connection(("127.0.0.1", port), HUNG_S)
    with connected as sock, context.wrap_socket(sock, server_hostname=name) as tls:
        yield tls


def is_trusted(port: int, name: str, trusted: ssl.SSLContext) -> bool:
    try:
        with secured(port, name, trusted):
            return True
    except ssl.SSLError:
        return False


def asked(tls: ssl.SSLSocket, name: str) -> bytes:
    """Make a request and take its answer, which is a 200 with that name for a body."""
    tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    received = b""
    while not received.endswith(name.encode()):
        block = tls.recv(65536)
        assert block, received
        received += block
    assert received.startswith(b"HTTP/1.1 200 OK")
    return received


def test_two_sites_get_certificates_and_keep_them(manager: ManagerUnderTest, tmp_path: Path) -> None:
    port, names = manager.port(), ("www.example.org", "other.example.org")
    with authority(manager, manager.port(), port) as ca:
        sites = site(names[0], port, more='aliases = ["alias.example.org"]\n') + site(names[1], port)
        text = configured(manager, ca, sites)
        manager.apply(text)
        wait(manager, lambda: {item["state"] for item in orders(manager).values()} == {"made"})
        trusted = ssl.create_default_context(cadata=ca.root())
        for name in (*names, "alias.example.org"):
            with secured(port, name, trusted) as tls:
                assert b"200 OK" in asked(tls, names[1] if name == names[1] else names[0])
        assert planned(manager, text)["empty"]
        kinds = [event["kind"] for event in manager.client.get("/v1/events")["events"]]
        assert kinds.count("certificate-made") == 2
        kept = manager.state_dir / "authority"
        assert {path.stat().st_mode & 0o777 for path in kept.rglob("*") if path.is_file()} == {0o600}

        # one that is near its end, found by the next manager: renewed at once, below a client
        before = manager.status()["gateway"]["certificates"]
        path = next(Path(item["file"]) for item in before if item["sites"] == [names[0]])
        renewed = {item["file"]: item["expires_at"] for item in before}
        with secured(port, names[1], trusted) as client, kept_alive(lambda: asked(client, names[1])):
            pid = manager.manager_pid
            os.kill(pid, signal.SIGKILL)
            assert not outlives(pid, HUNG_S)
            chain, key = made_pair([names[0], "alias.example.org"], time.time() - 80 * DAY_S, time.time() + 10 * DAY_S)
            path.write_bytes(key + chain)
            manager.apply(text)

            wait(manager, lambda: is_trusted(port, names[0], trusted))
        with secured(port, names[0], trusted) as tls:
            assert b"200 OK" in asked(tls, names[0])
        after = {item["file"]: item["expires_at"] for item in manager.status()["gateway"]["certificates"]}
        assert {file for file in renewed if renewed[file] != after[file]} == {str(path)}


def test_an_authority_that_finds_nobody_is_told_and_left_alone(manager: ManagerUnderTest) -> None:
    plain, port, name = manager.port(), manager.port(), "www.example.org"
    both = site(name, port) + site("plain", plain, more=f'server-name = "{name}"\n', tls=False)
    with authority(manager, manager.port(), port) as ca:  # it looks for proofs where nobody listens
        text = configured(manager, ca, both, "http-01")
        manager.apply(text)
        wait(manager, lambda: orders(manager)[name]["error"] is not None)
        found = orders(manager)[name]
        assert (found["state"], found["failures"]) == ("waiting", 1)
        assert name in found["error"]
        assert any(found["error"] in notice for notice in planned(manager, text)["notices"])
        failed = [e for e in manager.client.get("/v1/events")["events"] if e["kind"] == "certificate-failed"]
        assert len(failed) == 1
        anybody = ssl.create_default_context()
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"), secured(port, name, anybody):
            pass
        assert plain_answer(plain, name) == name
    with authority(manager, plain, manager.port(), "two") as ca:
        assert manager.change_to(configured(manager, ca, both, "http-01"))["outcome"] == "done"
        wait(manager, lambda: orders(manager)[name]["state"] == "made")
        with secured(port, name, ssl.create_default_context(cadata=ca.root())) as tls:
            assert b"200 OK" in asked(tls, name)
    assert not list((manager.run_dir / "gateway" / "certificates").glob("proof-*"))


@pytest.mark.needs(NGINX)
def test_nginx_shows_an_authority_what_it_looks_for(manager: ManagerUnderTest) -> None:
    plain, port, name = manager.port(), manager.port(), "www.example.org"
    both = site(name, port) + site("plain", plain, more=f'server-name = "{name}"\n', tls=False)
    with authority(manager, plain, manager.port()) as ca:
        manager.apply(configured(manager, ca, both, "http-01") + 'engine = "nginx"\n')
        keeper = manager.pids("@gateway")
        wait(manager, lambda: orders(manager)[name]["state"] == "made")
        with secured(port, name, ssl.create_default_context(cadata=ca.root())) as tls:
            assert b"200 OK" in asked(tls, name)
        assert manager.pids("@gateway") == keeper


def plain_answer(port: int, name: str) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)) as connection:
        connection.request("GET", "/", headers={"Host": name})
        return connection.getresponse().read().decode()
