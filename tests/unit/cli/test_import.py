"""`wsgigroups import`: a file that validate accepts, and what was not kept on stderr."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wsgigroups.cli.importing import KINDS
from wsgigroups.cli.main import cli
from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers import IMPORTERS

SETTINGS = """import os
print("this is no answer")
workers = 2 + 1
bind = f"127.0.0.1:{os.environ.get('SHOP_PORT', '8000')}"
raw_env = ["SECRET=hush"]


def post_fork(server, worker):
    raise AssertionError
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, arguments)])


def refused(result: Result) -> WsgigroupsError:
    assert isinstance(result.exception, WsgigroupsError), result.output
    return result.exception


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(SETTINGS)
    return path


def test_a_file_of_settings_is_run_aside_and_what_is_written_is_valid(settings: Path, tmp_path: Path) -> None:
    target = tmp_path / "groups.toml"
    result = run("gunicorn", settings, "--app", "shop.wsgi", "-D", "SHOP_PORT=8123", "-o", target)
    assert result.exit_code == 0, result.output
    text = target.read_text()
    assert 'listen = ["127.0.0.1:8123"]' in text
    assert "processes = 3" in text
    assert "post_fork: gunicorn's hooks are not called" in result.stderr
    assert "1 dropped" in result.stderr
    assert "hush" not in result.stderr
    assert stat.S_IMODE(target.stat().st_mode) == 0o600  # it has an environment
    assert CliRunner().invoke(cli, ["validate", "--offline", str(target)]).exit_code == 0
    assert "it is there already" in refused(run("gunicorn", settings, "--app", "shop.wsgi", "-o", target)).message
    assert run("gunicorn", settings, "--app", "shop.wsgi", "-o", target, "--force").exit_code == 0


def test_a_command_line_instead_of_a_file() -> None:
    result = run("gunicorn", "--command", "gunicorn -w 2 shop:app")
    assert result.exit_code == 0, result.output
    assert 'app = "shop:app"' in result.stdout
    assert "kept, " in result.stderr


def test_words_that_are_not_utf_8_are_read_as_files_are() -> None:
    result = run("gunicorn", "--command", "env A=\udcff gunicorn shop:app", "-D", "B=\udcff")
    assert result.exit_code == 0, result.output
    assert 'A = "\ufffd"' in result.stdout


@pytest.mark.parametrize("text", ["raise ValueError('no luck')", "import sys\nsys.exit(3)", "workers ="])
def test_a_file_of_settings_that_fails_says_why(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(text)
    error = refused(run("gunicorn", path, "--app", "a"))
    assert error.message.startswith(f"cannot run {path}: ")
    assert any(word in error.message for word in ("no luck", "SystemExit", "SyntaxError"))


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    assert run("apache").exit_code == 2
    assert run("caddy", "x").exit_code == 2
    missing = refused(run("apache", "/nonexistent"))
    assert (missing.exit_code, missing.message) == (2, "cannot read /nonexistent: no such file or directory")
    empty = tmp_path / "empty.conf"
    empty.write_text("# ServerName www.example.org\n")
    nothing = refused(run("apache", empty))
    assert (nothing.exit_code, "cannot find a WSGI application" in nothing.message) == (2, True)
    assert "another kind" in (nothing.hint or "")
    empty.write_text("<VirtualHost *:80>\nDocumentRoot /srv/www\n</VirtualHost>\n")
    result = run("apache", empty)
    assert "the lines above" in (refused(result).hint or "")
    assert "1 dropped" in result.stderr


def test_the_help_names_every_kind() -> None:
    result = run("--help")
    assert "import [OPTIONS] KIND [FILE…]" in result.stdout
    for kind in KINDS:
        assert f"\n  {kind} " in result.stdout, kind


def test_the_command_knows_every_kind() -> None:
    assert set(KINDS) == set(IMPORTERS)
