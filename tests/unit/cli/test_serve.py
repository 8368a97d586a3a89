"""What `serve` makes of its arguments, without a process: the file that it amounts to, and what it refuses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wsgigroups.cli import new_files
from wsgigroups.cli.main import cli
from wsgigroups.errors import ExitCode, WsgigroupsError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "app.py").write_text("def create_app():\n    pass\n")
    monkeypatch.chdir(directory)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return directory


def serve(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["serve", *arguments], standalone_mode=False)


def test_it_prints_the_file(project: Path) -> None:
    text = serve("--write", "-", "--listen", "8080", "--listen", "[::1]:81", "-e", "A=b", "--threads", "2").stdout
    assert 'app = "app:create_app()"' in text
    assert 'listen = ["127.0.0.1:8080", "[::1]:81"]' in text
    assert 'environment = { A = "b" }' in text
    assert f'home = "{project}"' in text


def test_static_directories_are_in_the_file(project: Path) -> None:
    (project / "build").mkdir()
    (project.parent / "media").mkdir()
    arguments = ["--static", "/static/=build", "--static", "/media=../media", "--listen", "8080"]
    text = serve("--write", "-", *arguments).stdout
    assert f'path = "/static"\ndirectory = "{project}/build"\n' in text
    assert f'path = "/media"\ndirectory = "{project.parent}/media"\n' in text
    assert text.count("listen") == 1
    assert serve("--write", "groups.toml", *arguments).exception is None
    assert 'directory = "build"' in (project / "groups.toml").read_text(), "the file moves with the project"


def test_it_overwrites_only_when_it_is_told(project: Path) -> None:
    assert serve("--write", "groups.toml").exception is None
    assert 'home = "."' in (project / "groups.toml").read_text(), "the file moves with the project"
    (project / "groups.toml").write_text("mine")
    refused = serve("--write", "groups.toml").exception
    assert isinstance(refused, WsgigroupsError)
    assert refused.hint == "--force overwrites it"
    assert (project / "groups.toml").read_text() == "mine"
    assert serve("--write", "groups.toml", "--force").exception is None
    assert (project / "groups.toml").read_text() != "mine"


def test_the_activated_environment_is_taken_where_the_project_has_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/srv/venvs/shop")
    assert 'python-home = "/srv/venvs/shop"' in serve("--write", "-").stdout
    (project / ".venv").mkdir()
    (project / ".venv" / "pyvenv.cfg").write_text("")
    assert f'python-home = "{project}/.venv"' in serve("--write", "-").stdout


def test_a_port_that_is_taken_is_said(project: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_files, "FIRST_PORT", port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = serve("--write", "-")
    assert f"port {port} is taken: this is port" in done.stderr
    assert f"127.0.0.1:{port}" not in done.stdout


REFUSED = {
    "no such thing": (["nothing"], ExitCode.USAGE, "it is no directory"),
    "no such script": (["no.wsgi"], ExitCode.USAGE, "it is no directory"),
    "no application": (["plain.py"], ExitCode.USAGE, "cannot find a WSGI application in plain.py"),
    "nothing in it": (["empty"], ExitCode.FAILED, "cannot find a WSGI application in empty"),
    "address": (["--listen", "here"], ExitCode.USAGE, "--listen: 'here' has no host and port"),
    "variable": (["-e", "NOT_SET_ANYWHERE"], ExitCode.USAGE, "neither NAME=VALUE nor a variable that is set"),
    "two processes": (["--reload", "--processes", "2"], ExitCode.USAGE, "--reload takes one process"),
    "no prefix": (["--static", "build"], ExitCode.USAGE, "--static: 'build' is not PREFIX=DIR"),
    "no path": (["--static", "static=empty"], ExitCode.USAGE, '--static: "static" is no URL path'),
    "no directory": (["--static", "/static=nothing"], ExitCode.USAGE, "--static: 'nothing' is not a directory"),
    "twice": (["--static", "/s=empty", "--static", "/s/=empty"], ExitCode.USAGE, "--static: /s is there twice"),
    "force": (["--force"], ExitCode.USAGE, "--force goes with --write"),
}


@pytest.mark.parametrize(("arguments", "code", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(project: Path, arguments: list[str], code: ExitCode, text: str) -> None:
    (project / "plain.py").write_text("x = 1\n")
    (project / "empty").mkdir()
    error = serve(*arguments, "--write", "-").exception if "--force" not in arguments else serve(*arguments).exception
    assert error is not None
    assert getattr(error, "exit_code", None) == code
    assert text in str(error)
