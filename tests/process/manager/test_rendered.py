"""An nginx of one's own before a manager's groups, by the file that the command line renders."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import HUNG_S, ManagerUnderTest
from support.nginx import NGINX

SCRIPT = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = "SCRIPT_NAME", "PATH_INFO", "SERVER_NAME", "REMOTE_ADDR", "mod_wsgi.process_group"
    return ["|".join(environ[name] for name in names).encode("latin-1")]
"""


def ask(port: int, path: str) -> str:
    """Ask on a connection of its own; the answer, or its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": "www.example.org"})
        response = connection.getresponse()
        body = response.read().decode()
        return body if response.status == 200 else str(response.status)


@contextlib.contextmanager
def running(file: Path, directory: Path, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx with a file; what it says is in `errors`."""
    with errors.open("wb") as said:
        process = subprocess.Popen([NGINX, "-p", str(directory), "-e", "stderr", "-c", str(file)], stderr=said)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(HUNG_S)


@pytest.mark.needs(NGINX)
def test_routes_change_and_processes_are_replaced_without_a_refused_request(manager: ManagerUnderTest) -> None:
    port, run_dir = manager.port(), manager.base / "front"
    (run_dir / "nginx").mkdir(parents=True)
    (manager.base / "site.wsgi").write_text(SCRIPT)
    owner, user = ('socket-user = "nobody"\n', 'user = "nobody"\n') if os.geteuid() == 0 else ("", "")
    groups = "".join(
        f'[groups.{name}]\nscript = "{manager.base}/site.wsgi"\nlisten = ["unix:{manager.base}/{name}.sock"]\n'
        f'trusted-proxies = ["unix"]\n{owner}'
        for name in ("blog", "shop")
    )
    manager.apply(groups)
    sites, file = manager.base / "sites.toml", manager.base / "nginx.conf"

    def render(*mounts: str) -> None:
        sites.write_text(
            f'version = 1\ninclude = ["groups.toml"]\n[gateway]\nengine = "nginx"\n{user}'
            f'[sites."www.example.org"]\nlisten = ["127.0.0.1:{port}"]\nprocess-group = "blog"\n'
            f"mounts = [{', '.join(mounts)}]\n"
        )
        done = manager.cli("--run-dir", str(run_dir), "render", "nginx", str(sites), "-o", str(file))
        assert done.returncode == 0, done.stderr
        tested = subprocess.run([NGINX, "-t", "-e", "stderr", "-c", str(file)], capture_output=True, check=False)
        assert tested.returncode == 0, tested.stderr

    render('{path = "/"}')
    errors = manager.base / "errors"
    with running(file, run_dir, errors) as process:
        manager.wait_for("nginx listens", lambda: manager.listening(port))
        assert ask(port, "/shop/x") == "|/shop/x|www.example.org|127.0.0.1|blog", errors.read_text()
        render('{path = "/"}', '{path = "/shop", process-group = "shop"}')
        process.send_signal(signal.SIGHUP)
        old, new = "|/shop/x|www.example.org|127.0.0.1|blog", "/shop|/x|www.example.org|127.0.0.1|shop"
        found = [old]
        manager.wait_for("the new route", lambda: found.append(ask(port, "/shop/x")) or found[-1] == new)
        assert set(found) == {old, new}
        before = manager.pids("shop")
        manager.client.post("/v1/restart", {"groups": ["shop"]})
        manager.wait_for(
            "processes are replaced", lambda: found.append(ask(port, "/shop/x")) or _other(manager, before)
        )
        assert set(found) == {old, new}
        process.send_signal(signal.SIGQUIT)
        assert process.wait(HUNG_S) == 0


def _other(manager: ManagerUnderTest, before: dict[int, int]) -> bool:
    now = manager.pids("shop")
    return bool(now) and not set(now.values()) & set(before.values())
