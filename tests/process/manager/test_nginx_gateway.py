"""The nginx of the distribution as the gateway of a manager: changed, replaced and killed under its clients."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.clients import Clients
from support.faults import outlives
from support.manager import HUNG_S, ManagerUnderTest
from support.nginx import NGINX
from support.sites import GATEWAY, HOST, one_site
from support.tree import ROOT

pytestmark = pytest.mark.needs(NGINX)
CERTIFICATES = ROOT / "tests" / "support" / "certificates"
ENGINE = 'engine = "nginx"'


def masters(manager: ManagerUnderTest) -> dict[int, int]:
    """Return the pid of nginx for each slot of the gateway."""
    found = {}
    for slot, pid in manager.pids(GATEWAY).items():
        with contextlib.suppress(psutil.NoSuchProcess):
            children = [child.pid for child in psutil.Process(pid).children() if child.children()]
            if children:
                found[slot] = children[-1]
    return found


def site(manager: ManagerUnderTest, port: int, more: str = "", **how: str) -> str:
    gateway = "\n".join([ENGINE, how.pop("gateway", "")])
    return one_site(manager, port, "traced_app", gateway=gateway, more=more, **how)


def secure(manager: ManagerUnderTest, port: int) -> str:
    """A second site, with TLS."""
    return (
        f'[sites.secure]\nserver-name = "{HOST}"\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "app"\n'
        f'certificate = "{manager.base}/site.crt"\ncertificate-key = "{manager.base}/site.key"\n'
        '[[sites.secure.mounts]]\npath = "/"\n'
    )


def certificate(manager: ManagerUnderTest, name: str) -> None:
    for kind in ("crt", "key"):
        shutil.copy(CERTIFICATES / f"{name}.{kind}", manager.base / f"site.{kind}")


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_serves_and_changes_while_it_runs_and_loses_no_request(manager: ManagerUnderTest) -> None:
    plain, tls = manager.port(), manager.port()
    certificate(manager, "one")
    files = manager.base / "files"
    files.mkdir(mode=0o755)
    (files / "page.txt").write_text("a file " * 1000)
    log = manager.base / "access.log"
    logged = f'access-log = "{log}"\naccess-log-format = "json"'
    text = site(manager, plain, secure(manager, tls), site=logged)
    manager.apply(text)
    keeper, nginx = manager.pids(GATEWAY), masters(manager)
    assert len(nginx) == 1
    with Clients(plain, 4, close=True) as clients:
        for change in range(3):
            certificate(manager, ("two", "one")[change % 2])
            static = f'[[sites."{HOST}".static]]\npath = "/files{change}"\ndirectory = "{files}"\n'
            done = manager.change_to(text + static)
            assert done["outcome"] == "done", done
            assert manager.get(plain, f"/files{change}/page.txt") == (200, (files / "page.txt").read_bytes())
            assert manager.get(plain, f"/files{change}/none")[0] == 404
            assert manager.get(plain, f"/files{change + 1}/none")[0] == 200
            assert ssl.get_server_certificate(("127.0.0.1", tls)) == (manager.base / "site.crt").read_text()
            clients.wait_for_more(20)
        (manager.base / "site.crt").write_text("no certificate")
        refused = manager.apply(text, code=1)
        assert "certificate" in refused.stderr + refused.stdout
        assert ssl.get_server_certificate(("127.0.0.1", tls)) == (CERTIFICATES / "two.crt").read_text()
        clients.wait_for_more(20)
        assert clients.failures == []
    assert (manager.pids(GATEWAY), masters(manager)) == (keeper, nginx), "none of it took a process"
    manager.wait_for("its counters", lambda: _process(manager)["requests_total"] > 20)
    manager.wait_for("its access log", lambda: log.read_text().count("\n") > 20)
    assert {json.loads(line)["status"] for line in log.read_text().splitlines()} == {200, 404}


def _process(manager: ManagerUnderTest) -> dict[str, Any]:
    found: dict[str, Any] = manager.group(GATEWAY)["processes"][0]
    return {**found, **found.get("figures", {}), **found.get("board", {})}


def test_who_it_is_and_what_it_may(manager: ManagerUnderTest) -> None:
    port, tls = manager.port(), manager.port()
    certificate(manager, "one")
    manager.apply(site(manager, port, secure(manager, tls)))
    keeper = manager.pids(GATEWAY)[1]
    everybody = [keeper, *(child.pid for child in psutil.Process(keeper).children(recursive=True))]
    assert len(everybody) == 3
    for pid in everybody:
        found = status_of(pid)
        assert found["NoNewPrivs"] == "1"
        assert {found[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}
        assert "0" not in found["Uid"].split()
    confined = manager.group(GATEWAY)["processes"][0]["confinement"]
    assert set(confined) == {"read-only-paths", "restrict-address-families", "restrict-namespaces"}
    uid = int(status_of(keeper)["Uid"].split()[0])
    private = (manager.run_dir / "gateway" / "nginx" / str(uid)).stat()
    assert (private.st_mode & 0o777, private.st_uid) == (0o700, uid)
    assert manager.cli("shutdown").returncode == 0
    assert not (manager.run_dir / "gateway").exists()


def test_http2_and_compression_are_what_it_has_and_can_be_turned_off(manager: ManagerUnderTest) -> None:
    port, tls = manager.port(), manager.port()
    certificate(manager, "one")
    files = manager.base / "files"
    files.mkdir(mode=0o755)
    (files / "page.txt").write_text("a file " * 1000)
    static = f'[[sites."{HOST}".static]]\npath = "/files"\ndirectory = "{files}"\n'
    more = secure(manager, tls) + static
    manager.apply(site(manager, port, more))
    keeper = manager.pids(GATEWAY)
    assert (_protocol(tls), _coding(port)) == ("h2", "gzip")
    done = manager.change_to(site(manager, port, more, gateway="http2 = false\ncompression = false"))
    assert done["outcome"] == "done", done
    assert (_protocol(tls), _coding(port)) == ("http/1.1", None)
    assert manager.pids(GATEWAY) == keeper


def _protocol(port: int) -> str | None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), HUNG_S) as sock,
        context.wrap_socket(sock, server_hostname=HOST) as tls,
    ):
        return tls.selected_alpn_protocol()


def _coding(port: int) -> str | None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)) as connection:
        connection.request("GET", "/files/page.txt", headers={"Host": HOST, "Accept-Encoding": "gzip"})
        response = connection.getresponse()
        body = response.read()
        coding = response.getheader("Content-Encoding")
        assert (gzip.decompress(body) if coding else body).startswith(b"a file ")
        return coding


def test_restarts_and_deaths_of_nginx_its_keeper_and_the_manager_refuse_nobody(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = site(manager, port)
    manager.apply(text)
    daemons = manager.pids("app")
    with Clients(port, 4, close=True) as clients:
        clients.wait_for_more(20)
        for _restart in range(2):
            before = manager.pids(GATEWAY), masters(manager)
            manager.restart(GATEWAY)
            clients.wait_for_more(20)
            assert not set(manager.pids(GATEWAY).values()) & set(before[0].values())
            assert not set(masters(manager).values()) & set(before[1].values())
        manager.wait_for("it has run for a while", lambda: _age_s(masters(manager)[1]) > 1.5)
        keeper, nginx = manager.pids(GATEWAY), masters(manager)[1]
        os.kill(nginx, signal.SIGKILL)
        manager.wait_for("another nginx", lambda: masters(manager).get(1) not in (None, nginx))
        clients.wait_for_more(20)
        assert manager.pids(GATEWAY) == keeper
        former = manager.manager_pid
        os.kill(former, signal.SIGKILL)
        assert not outlives(former, HUNG_S)
        clients.wait_for_more(20)
        manager.apply(text)
        clients.wait_for_more(20)
        static = f'[[sites."{HOST}".static]]\npath = "/files"\ndirectory = "{manager.base}"\n'
        assert manager.change_to(text + static)["outcome"] == "done"
        assert manager.get(port, "/files/none")[0] == 404
        assert manager.pids(GATEWAY) == keeper, "the next manager found it"
        assert clients.failures == []
        os.kill(keeper[1], signal.SIGKILL)
        manager.wait_for("another keeper", lambda: manager.pids(GATEWAY).get(1) not in (None, keeper[1]))
        clients.wait_for_more(40)
        assert len(clients.failures) <= 4, clients.failures
        assert {failure.how for failure in clients.failures} <= {"closed", "reset"}, "nobody was refused"
        assert manager.get(port, "/files/none")[0] == 404
    assert manager.pids("app") == daemons


def _age_s(pid: int) -> float:
    return time.time() - psutil.Process(pid).create_time()


def test_addresses_and_processes_come_and_go_below_clients(manager: ManagerUnderTest) -> None:
    port, other = manager.port(), manager.port()
    path = manager.base / "site.sock"
    text = site(manager, port)
    manager.apply(text)
    with Clients(port, 4, close=True) as clients:
        for listen in (f'"127.0.0.1:{port}", "127.0.0.1:{other}", "unix:{path}"', f'"127.0.0.1:{port}"'):
            before = manager.pids(GATEWAY)
            changed = text.replace(f'listen = ["127.0.0.1:{port}"]', f"listen = [{listen}]")
            assert manager.change_to(changed)["outcome"] == "done"
            clients.wait_for_more(20)
            assert not set(manager.pids(GATEWAY).values()) & set(before.values())
            assert manager.listening(other) == path.exists() == ("unix:" in listen)
            if path.exists():
                assert manager.get(other)[0] == 200
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(HUNG_S)
                    sock.connect(str(path))
                    sock.sendall(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
                    assert sock.recv(15) == b"HTTP/1.1 200 OK"
        assert manager.cli("scale", f"{GATEWAY}=2").returncode == 0
        manager.wait_for("two of them", lambda: len(masters(manager)) == 2)
        clients.wait_for_more(20)
        assert manager.cli("scale", f"{GATEWAY}=1").returncode == 0
        manager.wait_for("one of them", lambda: len(masters(manager)) == 1)
        clients.wait_for_more(20)
        assert clients.failures == []


def test_the_engine_changes_below_clients(manager: ManagerUnderTest) -> None:
    port = manager.port()
    embedded = one_site(manager, port, "traced_app")
    manager.apply(embedded)
    with Clients(port, 4, close=True) as clients:
        for text in (site(manager, port), embedded, site(manager, port)):
            before = manager.pids(GATEWAY)
            assert manager.change_to(text)["outcome"] == "done"
            clients.wait_for_more(20)
            assert not set(manager.pids(GATEWAY).values()) & set(before.values())
        assert clients.failures == []
    assert masters(manager)
