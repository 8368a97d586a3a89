"""`wsgigroups render`: a file for another program, from a configuration that need not run here."""

from __future__ import annotations

import os
import sys
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


BASE = f"python:3.13-slim@sha256:{'0' * 64}"
PLAIN = """
version = 1
[server]
error-log = "/dev/stdout"
[groups.web]
app = "a:b"
release = "1"
python-path = ["/srv/releases/1"]
listen = ["127.0.0.1:8000"]
home = "/srv"
environment = {SECRET = "one"}
[sites."www.example.org"]
listen = ["127.0.0.1:8080"]
access-log = "/var/log/access.log"
process-group = "web"
mounts = [{path = "/", script = "/srv/web.wsgi"}]
"""


def checked(*arguments: str | Path) -> tuple[int, list[str]]:
    """The exit code of --check, and the lines that it says."""
    words = ["--run-dir", "/run/w", "render", *map(str, arguments), "--check"]
    result = CliRunner().invoke(cli, words, standalone_mode=False)
    assert result.exception is None
    return result.return_value, result.stdout.splitlines()


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plain.toml"
    path.write_text(PLAIN)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_what_is_on_disk_is_compared_with_what_is_rendered(form: str, plain: Path, tmp_path: Path) -> None:
    more = ("--base", BASE) if form == "containerfile" else ()
    directory = tmp_path / "there"
    directory.mkdir()
    code, said = checked(form, plain, "-o", directory, *more)
    assert code == 1
    assert said
    assert all(line.endswith(": is not there") for line in said)
    assert list(directory.iterdir()) == []
    assert run(form, plain, "-o", directory, *more).exit_code == 0
    assert checked(form, plain, "-o", directory, *more) == (0, [])
    changed = next(path for path in sorted(directory.rglob("*")) if path.is_file())
    changed.write_text(changed.read_text() + "more\n")
    code, said = checked(form, plain, "-o", directory, *more)
    assert (code, said[0]) == (1, f"{changed}: is stale")
    assert "  -more" in said


def test_one_file_goes_where_it_was_named(plain: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.cfg"
    assert run("haproxy", plain, "-o", file).exit_code == 0
    assert file.read_text() == run("haproxy", plain).stdout
    assert checked("haproxy", plain, "-o", file) == (0, [])


def test_no_secret_is_in_a_difference(plain: Path, tmp_path: Path) -> None:
    run("apache", plain, "-o", tmp_path / "apache.conf")
    plain.write_text(PLAIN.replace('"one"', '"two"'))
    code, said = checked("apache", plain, "-o", tmp_path / "apache.conf")
    assert code == 1
    assert said[1:] == ["  only ends of lines differ, or values that are not shown"]


def test_several_files(plain: Path, tmp_path: Path) -> None:
    shown = run("systemd-socket", plain).stdout
    names = ["wsgigroups-web.socket", "wsgigroups.socket", "wsgigroups.service.d/sockets.conf"]
    assert [line[2:] for line in shown.splitlines() if line[2:] in names] == names
    directory = tmp_path / "new"
    assert run("systemd-socket", plain, "-o", directory).exit_code == 0
    assert all((directory / name).is_file() for name in names)
    with pytest.raises(WsgigroupsError, match="it is a file, and there are 3 to be written"):
        raise run("systemd-socket", plain, "-o", plain).exception or AssertionError("it was written")
    # a unit of a group that is gone; others' units are nobody's business
    (directory / "wsgigroups-old.socket").write_text((directory / names[0]).read_text())
    (directory / "other.socket").write_text("[Socket]\n")
    os.mkfifo(directory / "pipe")
    again = run("systemd-socket", plain, "-o", directory)
    assert again.stderr == f"{directory}/wsgigroups-old.socket is no longer rendered: remove it\n"
    said = [f"{directory}/wsgigroups-old.socket: is no longer rendered"]
    assert checked("systemd-socket", plain, "-o", directory) == (1, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("haproxy", "--check"), "name that with --output"),
        (("haproxy", "--base", BASE), "are for containerfile"),
        (("haproxy", "--allow-tag"), "are for containerfile"),
        (("haproxy", "--program", "/usr/sbin/haproxy"), "--program is for nginx, systemd, logrotate"),
        (("containerfile",), "containerfile needs --base"),
        (("containerfile", "--base", "python:3.13-slim"), "python:3.13-slim is another image tomorrow"),
    ],
)
def test_what_makes_no_sense(arguments: tuple[str, ...], said: str, plain: Path) -> None:
    result = run(*arguments, plain)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_base_without_a_digest_is_taken_where_that_is_meant(plain: Path) -> None:
    result = run("containerfile", plain, "--base", "python:3.13-slim", "--allow-tag")
    assert "FROM python:3.13-slim\n" in result.stdout
    assert 'ENTRYPOINT ["env", "--block-signal=TERM", "wsgigroups", "run", "/app/plain.toml"]\n' in result.stdout


def test_the_manager_is_started_with_what_was_named(plain: Path) -> None:
    where = ["--run-dir", "/run/w", "--log-dir", "/var/log/w"]
    program = Path(sys.executable).with_name("wsgigroups")
    result = CliRunner().invoke(cli, [*where, "render", "systemd", "plain.toml"])
    assert f"ExecStart={program} {' '.join(where)} run {plain}\n" in result.stdout
    result = CliRunner().invoke(
        cli, [*where, "render", "logrotate", "plain.toml", "--program", "/opt/w/bin/wsgigroups"]
    )
    assert f"/opt/w/bin/wsgigroups {' '.join(where)} logs --reopen" in result.stdout
    assert "/var/log/w/manager.log" in result.stdout.splitlines()
