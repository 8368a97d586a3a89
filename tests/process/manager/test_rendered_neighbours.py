"""HAProxy, Caddy and logrotate beside a manager, each run for real by the file that the command line renders."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fronts import HAPROXY
from support.manager import HUNG_S, ManagerUnderTest

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CADDY, LOGROTATE = (shutil.which(name, path=_PATH) or name for name in ("caddy", "logrotate"))
SCRIPT = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = "SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "wsgi.url_scheme", "mod_wsgi.process_group"
    found = [*(environ[name] for name in names), environ.get("HTTP_X_REMOTE_USER", "-")]
    body = environ["wsgi.input"].read()
    return [b"|".join([*(text.encode("latin-1") for text in found), body])]
"""
# mounts are for the manager as well; who listens for the sites is said in a file of its own
GROUPS = """
[gateway]
USER
[groups.blog]
script = "BASE/site.wsgi"
listen = ["unix:BASE/blog.sock"]
trusted-proxies = ["unix"]
[groups.shop]
script = "BASE/site.wsgi"
listen = ["127.0.0.1:SHOP"]
trusted-proxies = ["127.0.0.1/32"]
[sites."www.example.org"]
aliases = ["*.example.org"]
process-group = "blog"
mounts = [{path = "/"}, {path = "/shop", process-group = "shop"}]
[sites."other.example.org"]
process-group = "shop"
mounts = [{path = "/only"}]
"""
SITES = """
version = 1
include = ["groups.toml"]
[sites."www.example.org"]
listen = ["127.0.0.1:PORT"]
static = [{path = "/static", directory = "BASE/static"}]
[sites."other.example.org"]
listen = ["127.0.0.1:PORT"]
error-pages = {404 = "BASE/404.html"}
"""


def ask(port: int, path: str, host: str = "www.example.org", body: str | None = None) -> tuple[int, str]:
    """Ask on a connection of its own, as a client that would be somebody."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_S)
    fields = {"Host": f"{host}:{port}", "X-Remote-User": "admin", "X-Forwarded-For": "192.0.2.1"}
    fields["X-Forwarded-Proto"] = "https"
    with contextlib.closing(connection):
        connection.request("GET" if body is None else "POST", path, body=body, headers=fields)
        response = connection.getresponse()
        return response.status, response.read().decode()


@contextlib.contextmanager
def running(command: list[str], said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a front; what it says is in a file. It ends in good order when the context does."""
    directory = said.parent
    environment = {**os.environ, "HOME": str(directory), "XDG_DATA_HOME": str(directory)}
    with said.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(HUNG_S)
        finally:
            process.kill()


@pytest.mark.needs(HAPROXY, CADDY)
def test_fronts_ask_groups_over_http(manager: ManagerUnderTest) -> None:
    base, shop = manager.base, manager.port()
    (base / "static").mkdir()
    for name, text in (
        ("site.wsgi", SCRIPT),
        ("404.html", "a page"),
        ("static/a.txt", "a file"),
        ("static/.a", "hidden"),
    ):
        (base / name).write_text(text)
    user = "" if os.geteuid() else 'user = "nobody"'
    text = GROUPS.replace("BASE", str(base)).replace("SHOP", str(shop)).replace("USER", user)
    if os.geteuid() == 0:  # who the front is started as is who may connect
        text = text.replace('blog.sock"]', 'blog.sock"]\nsocket-user = "nobody"')
    manager.apply(text)
    front = manager.base / "front"  # what Caddy takes orders at would be left in the manager's own directory
    (front / "caddy").mkdir(parents=True)
    for form, command in (
        ("haproxy", [HAPROXY, "-db", "-f"]),
        ("caddy", [CADDY, "run", "--adapter", "caddyfile", "--config"]),
    ):
        port, file, said = manager.port(), base / form, base / f"{form}.said"
        (base / "sites.toml").write_text(SITES.replace("PORT", str(port)).replace("BASE", str(base)))
        done = manager.cli("--run-dir", str(front), "render", form, str(base / "sites.toml"), "-o", str(file))
        assert done.returncode == 0, done.stderr
        with running([*command, str(file)], said):
            manager.wait_for(f"{form} listens", lambda port=port: manager.listening(port))
            assert ask(port, "/x/y?z") == (200, "|/x/y|127.0.0.1|http|blog|-|"), said.read_text()
            assert ask(port, "/shop/x", "eu.example.org") == (200, "/shop|/x|127.0.0.1|http|shop|-|")
            assert ask(port, "/shopping") == (200, "|/shopping|127.0.0.1|http|blog|-|")
            assert ask(port, "/only", "other.example.org", "a body")[1] == "/only||127.0.0.1|http|shop|-|a body"
            # one of the two serves files and pages
            page, served = (
                ("a page", (200, "a file")) if form == "caddy" else ("404 Not Found\n", (404, "404 Not Found\n"))
            )
            assert ask(port, "/", "other.example.org") == (404, page)
            assert ask(port, "/static/a.txt") == served
            assert ask(port, "/static/.a")[0] == 404
            assert ask(port, "/", "nobody.invalid")[0] == 200  # the first site answers for names that none has
            manager.restart("blog")
            assert ask(port, "/x")[0] == 200


@pytest.mark.needs(LOGROTATE)
def test_logrotate_renames_logs_and_the_manager_opens_new_ones(manager: ManagerUnderTest) -> None:
    port = manager.port()
    app = 'import sys\ndef application(environ, start_response):\n    print("said", environ["PATH_INFO"])\n'
    (manager.base / "site.wsgi").write_text(f'{app}    start_response("204 No Content", [])\n    return []\n')
    manager.apply(f'[groups.web]\nscript = "{manager.base}/site.wsgi"\nlisten = ["127.0.0.1:{port}"]\n')
    manager.get(port, "/before")
    manager.wait_for("the first line", lambda: "said /before" in manager.log("web"))
    file, pids = manager.base / "rotation", manager.pids("web")
    program = manager.base / "wsgigroups"  # as an installation has it
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m wsgigroups "$@"\n')
    program.chmod(0o755)
    groups = str(manager.base / "groups.toml")
    done = manager.cli("render", "logrotate", groups, "-o", str(file), "--program", str(program))
    assert done.returncode == 0, done.stderr
    file.chmod(0o644)
    rotated = subprocess.run(
        [LOGROTATE, "-f", "-s", manager.base / "rotated", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert (rotated.returncode, rotated.stderr) == (0, "")
    manager.get(port, "/after")
    manager.wait_for("the next line", lambda: "said /after" in manager.log("web"))
    assert "said /before" not in manager.log("web")
    assert "said /before" in (manager.log_dir / "web.log.1").read_text()
    assert manager.pids("web") == pids
