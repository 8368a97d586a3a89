"""`wsgigroups render`: a file for another program, from a configuration that need not run here."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.nginx_words import words

from wsgigroups.cli.main import cli
from wsgigroups.cli.render import FORMS
from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.renderers import RENDERERS

TEXT = """
version = 1
[groups.web]
app = "a:b"
listen = ["127.0.0.1:8000", "unix:/run/web.sock"]
limit-request-line = 20000
limit-request-body = "3MiB"
[groups.linked]
app = "a:b"
socket-timeout = "7s"
[gateway]
engine = "nginx"
user = "front"
processes = 3
[sites."www.example.org"]
listen = ["0.0.0.0:443"]
http-redirect = true
certificate = "/etc/ssl/a.crt"
certificate-key = "/etc/ssl/a.key"
process-group = "web"
access-log = "/var/log/a.log"
error-pages = {502 = "PAGE"}
mounts = [{path = "/"}, {path = "/linked", process-group = "linked"}]
static = [{path = "/static", directory = "/srv/a"}]
[sites."unserved.example.org"]
process-group = "web"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    page = tmp_path / "502.html"
    page.write_text("<h1>sorry</h1>")
    path = tmp_path / "groups.toml"
    path.write_text(TEXT.replace("PAGE", str(page)))
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "other-nginx"
    path.write_text("#!/bin/sh\necho 'nginx version: nginx/1.27.1 --with-http_v2_module' >&2\n")
    path.chmod(0o755)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["--run-dir", "/run/w", "render", *map(str, arguments)])


def test_what_is_rendered(file: Path, program: Path, tmp_path: Path) -> None:
    result = run("nginx", file, "--program", program)
    assert result.exit_code == 0, result.output
    found = words(result.stdout)
    for pieces in (
        ["server", "=unix:/run/web.sock", "max_fails=0", ";"],
        ["server", "=unix:/run/w/gateway/sockets/linked.sock", "max_fails=0", ";"],
        ["listen", "=0.0.0.0:443", "default_server", "ssl", ";"],
        ["listen", "=0.0.0.0:80", "default_server", ";"],
        ["http2", "on", ";"],
        ["user", "=front", ";"],
        ["worker_processes", "3", ";"],
        ["ssl_certificate_key", "=/etc/ssl/a.key", ";"],
        ["access_log", "=/var/log/a.log", "combined", ";"],
        ["default", "=<h1>sorry</h1>", ";"],
        ["alias", "=/srv/a/", ";"],
        ["pid", "=/run/w/nginx/nginx.pid", ";"],
        ["uwsgi_read_timeout", "7000ms", ";"],
        ["client_max_body_size", "3145728", ";"],
        ["client_max_body_size", "0", ";"],
        ["large_client_header_buffers", "8", "20k", ";"],
    ):
        assert any(found[place : place + len(pieces)] == pieces for place in range(len(found))), pieces
    assert "unserved" not in result.stdout
    written = tmp_path / "nginx.conf"
    assert run("nginx", file, "--program", program, "-o", written).stdout == ""
    assert written.read_text() == result.stdout


def test_what_cannot_be_rendered(file: Path, tmp_path: Path) -> None:
    assert run("lighttpd", file).exit_code == 2
    broken = tmp_path / "broken.toml"
    broken.write_text(TEXT.replace('path = "/linked", process-group', 'path = "/linked", procss-group'))
    refused = run("nginx", broken)
    assert isinstance(refused.exception, WsgigroupsError)
    assert refused.exception.exit_code == 2
    missing = tmp_path / "missing.toml"
    missing.write_text(TEXT.replace("PAGE", "/nonexistent/502.html"))
    for arguments, said in (
        (("nginx", missing), "cannot use the page /nonexistent/502.html"),
        (("nginx", file, "-o", "/nonexistent/x"), "cannot write /nonexistent/x"),
        (("nginx", file, "--program", "/nonexistent/nginx"), "cannot ask /nonexistent/nginx"),
    ):
        with pytest.raises(WsgigroupsError, match=said):
            raise run(*arguments).exception or AssertionError("it was rendered")


def test_the_command_knows_every_form() -> None:
    assert tuple(RENDERERS) == FORMS
