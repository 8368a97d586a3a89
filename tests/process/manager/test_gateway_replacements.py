"""Daemons that are replaced, killed, stopped and broken behind a gateway, and routes that change below clients."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
from collections import Counter

from support.clients import Clients
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.sites import HOST, CountedClients, one_site
from support.tree import ROOT

CERTIFICATES = ROOT / "tests" / "support" / "certificates"
RESTARTS, DEATHS, CHANGES = 6, 3, 3


def test_replaced_daemons_lose_nothing_and_nothing_is_executed_twice(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(one_site(manager, port, "counted_app", group="processes = 2\nthreads = 3"))
    with CountedClients(port, 6, manager.base / "calls") as clients:
        clients.wait_for_more(20)
        for _restart in range(RESTARTS):
            before = manager.pids("app")
            manager.restart("app")
            assert not set(before.values()) & set(manager.pids("app").values())
        clients.wait_for_more(50)
    assert set(clients.kinds()) == {"200"}, clients.kinds()
    assert clients.executed() == Counter(list(clients.outcomes))
    print(f"{RESTARTS} restarts, {clients.kinds()}")


def test_a_daemon_that_dies_loses_what_it_was_given_and_nothing_is_executed_twice(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(one_site(manager, port, "counted_app", group="processes = 3\nthreads = 2"))
    with CountedClients(port, 8, manager.base / "calls") as clients:
        for death in range(DEATHS):  # one of each process, so that each is mended at once
            clients.wait_for_more(20)
            before = manager.pids("app")
            assert manager.get(port, f"/die/x{death}")[0] == 502
            manager.wait_for("another one", lambda b=before: len(p := manager.pids("app")) == 3 and p != b)
        clients.wait_for_more(50)
    lost = {number for number, outcome in clients.outcomes.items() if outcome != "200"}
    assert set(clients.kinds()) <= {"200", "502"}, clients.kinds()
    assert len(lost) <= 2 * DEATHS + 6, clients.kinds()
    executed = clients.executed()
    assert set(executed.values()) == {1}
    assert clients.outcomes.keys() - lost <= executed.keys()
    print(f"{DEATHS} deaths, {clients.kinds()}, of the lost ones executed: {len(lost & executed.keys())}")


def test_a_group_that_is_stopped_or_fails_is_503_with_the_page_of_the_site(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("the code is broken")
    port, page, script = manager.port(), manager.base / "503.html", manager.base / "app.wsgi"
    page.write_text("<h1>Closed for today</h1>")
    shutil.copy(APPS / "traced_app.py", script)
    text = one_site(
        manager, port, "", group='connect-timeout = "1h"', site=f'error-pages = {{ 503 = "{page}" }}'
    ).replace('app = ":application"', f'script = "{script}"')
    manager.apply(text)
    assert manager.get(port)[0] == 200

    def closed() -> bool:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read()
            if response.status == 200:
                return False
            assert (response.status, response.getheader("Retry-After"), body) == (503, "5", page.read_bytes())
            return True

    assert manager.cli("stop", "app").returncode == 0
    assert closed(), "at once: nobody waits for connect-timeout"
    assert manager.cli("start", "app").returncode == 0
    assert manager.get(port)[0] == 200
    manager.apply(text.replace("1h", "500ms"))
    script.write_text('raise RuntimeError("the code is broken")\n')
    os.kill(manager.pids("app")[1], signal.SIGKILL)
    manager.wait_for("it is answered for", lambda: "app: nobody serves it" in manager.log("manager"))
    assert closed()
    shutil.copy(APPS / "traced_app.py", script)
    manager.restart("app")
    assert manager.get(port)[0] == 200


def encrypted_site(manager: ManagerUnderTest, port: int) -> str:
    """The lines of a site whose certificate is a copy."""
    for kind in ("crt", "key"):
        shutil.copy(CERTIFICATES / f"one.{kind}", manager.base / f"site.{kind}")
    return (
        f'[sites.secure]\nserver-name = "{HOST}"\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "app"\n'
        f'certificate = "{manager.base}/site.crt"\ncertificate-key = "{manager.base}/site.key"\n'
        '[[sites.secure.mounts]]\npath = "/"\n'
    )


def test_a_session_of_tls_is_taken_up_by_processes_that_follow(manager: ManagerUnderTest) -> None:
    plain, secure = manager.port(), manager.port()
    manager.apply(one_site(manager, plain, "traced_app", more=encrypted_site(manager, secure)))
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "one.crt"))
    context.check_hostname = False

    def shaken(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection(("127.0.0.1", secure), HUNG_S) as sock,
            context.wrap_socket(sock, server_hostname=HOST, session=session) as tls,
        ):
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            assert tls.recv(12) == b"HTTP/1.1 200"
            return tls.session, tls.session_reused

    session, taken_up = shaken(None)
    assert not taken_up
    before = manager.pids("@gateway")
    manager.restart("@gateway")
    assert manager.pids("@gateway") != before
    assert shaken(session)[1], manager.log("@gateway")


def test_routes_and_certificates_change_and_no_connection_is_closed(manager: ManagerUnderTest) -> None:
    plain, secure = manager.port(), manager.port()
    encrypted = encrypted_site(manager, secure)
    files = manager.base / "files"
    files.mkdir(mode=0o755)
    text = one_site(manager, plain, "traced_app", more=encrypted)
    manager.apply(text)
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "one.crt"))
    context.check_hostname = False
    kept = http.client.HTTPSConnection("127.0.0.1", secure, timeout=HUNG_S, context=context)

    def ask() -> tuple[int, bytes]:
        kept.request("GET", "/", headers={"Host": HOST})
        response = kept.getresponse()
        return response.status, response.read()

    with contextlib.closing(kept), Clients(plain, 4) as clients:
        before = ask()
        held = kept.sock
        for change in range(CHANGES):
            for kind in ("crt", "key"):
                shutil.copy(CERTIFICATES / f"{('two', 'one')[change % 2]}.{kind}", manager.base / f"site.{kind}")
            static = f'[[sites."{HOST}".static]]\npath = "/files{change}"\ndirectory = "{files}"\n'
            done = manager.change_to(text + static)
            assert done["outcome"] == "done", done
            assert manager.get(plain, f"/files{change}/none")[0] == 404
            assert manager.get(plain, f"/files{change + 1}/none")[0] == 200
            assert ssl.get_server_certificate(("127.0.0.1", secure)) == (manager.base / "site.crt").read_text()
            assert ask() == before
            clients.wait_for_each()
        assert kept.sock is held
        assert (clients.failures, clients.connections) == ([], 4)
