"""What `render apache` writes, in an Apache of our own with mod_wsgi: routes, files, variables, callables."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apache import APACHE, ForegroundApache, load_modules, missing
from support.importing import imported, loaded
from support.ports import Ports

from wsgigroups.config import load
from wsgigroups.interop.renderers import RENDERERS, RenderContext

_HUNG_S = 60.0
MODULES = ("mpm_event", "authz_core", "wsgi", "alias", "env", "dir", "mime", "headers")
SCRIPT = """
import os
def CALLABLE(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ["SCRIPT_NAME", "PATH_INFO", "SHOP", "HTTP_AUTHORIZATION"]
    names += ["mod_wsgi.process_group", "mod_wsgi.application_group"]
    return ["|".join([*(environ.get(name, "-") for name in names), os.getcwd()]).encode("latin-1")]
"""
SERVER = """
ServerRoot {top}
DefaultRuntimeDir {top}
PidFile {top}/pid
Mutex file:{top} default
ServerName localhost
TypesConfig /etc/mime.types
WSGISocketPrefix {top}/wsgi
ErrorLog {top}/errors.log
{account}
{modules}
Include {top}/rendered.conf
"""
GROUPS = """
version = 1
[groups.blog]
script = "TOP/blog.wsgi"
home = "TOP/of blog"
threads = 3
maximum-requests = 1000
memory-soft-limit = "200M"
environment = {SHOP = 'a "quoted" value'}
[groups.api]
app = "shop.wsgi:api"
home = "TOP"
processes = 2
environment = {SHOP = 'a "quoted" value'}
[sites."www.example.org"]
listen = ["127.0.0.1:PORT"]
aliases = ["*.example.org"]
access-log = "TOP/requests.log"
process-group = "blog"
mounts = [{path = "/"}, {path = "/api", process-group = "api"}]
static = [{path = "/static", directory = "TOP/static files"}]
error-pages = {404 = "TOP/static files/404.html"}
"""
CONTEXT = RenderContext(Path("/run/wsgigroups"), {}, "", "", "")


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory that Apache's user may enter, with a short path: sockets are in it."""
    path = Path(tempfile.mkdtemp(prefix="wsgigroups-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_HUNG_S)
    try:
        connection.request("GET", path, headers={"Host": "eu.example.org", "Authorization": "Basic YTpi"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is nobody else's."""
    with contextlib.closing(Ports()) as ports:
        yield ports.reserve()


@pytest.mark.needs(APACHE)
def test_apache_serves_what_was_rendered(top: Path, port: int) -> None:
    if absent := missing(MODULES):
        pytest.skip(f"{', '.join(absent)} not installed")
    for name in ("static files", "shop", "of blog"):
        (top / name).mkdir(mode=0o755)
    (top / "static files" / "a.txt").write_text("a file")
    (top / "static files" / "404.html").write_text("nothing there")
    (top / "blog.wsgi").write_text(SCRIPT.replace("CALLABLE", "application"))
    (top / "shop" / "wsgi.py").write_text(SCRIPT.replace("CALLABLE", "api"))
    (top / "groups.toml").write_text(GROUPS.replace("TOP", str(top)).replace("PORT", str(port)))
    configuration = load([top / "groups.toml"], trust=False).configuration
    assert configuration is not None
    rendered = RENDERERS["apache"].render(configuration, CONTEXT)
    (top / "rendered.conf").write_text(rendered)
    account = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    text = SERVER.format(top=top, account=account, modules=load_modules(MODULES))
    with ForegroundApache(top, port, text) as apache:
        tested = subprocess.run([APACHE, "-t", "-f", apache.configuration], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        apache.wait()
        shop, login = 'a "quoted" value', "Basic YTpi"
        assert ask(port, "/x/y") == (200, f"|/x/y|{shop}|{login}|blog||{top}/of blog")
        assert ask(port, "/api/y") == (200, f"/api|/y|{shop}|{login}|api||{top}")
        assert ask(port, "/static/a.txt") == (200, "a file")
        assert ask(port, "/static/b.txt") == (404, "nothing there")
    assert '"GET /api/y HTTP/1.1" 200' in (top / "requests.log").read_text()
    again = loaded(imported("apache", {"/etc/apache2/rendered.conf": rendered}), "apache", top / "again.toml")
    assert RENDERERS["apache"].render(again, CONTEXT).splitlines()[3:] == [
        text for text in rendered.splitlines()[3:] if "memory-soft-limit" not in text
    ]
