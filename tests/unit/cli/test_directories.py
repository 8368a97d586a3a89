"""Where things are when nobody says so: never in a directory that everybody can write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from wsgigroups.cli import directories
from wsgigroups.cli.main import cli
from wsgigroups.errors import WsgigroupsError


@pytest.fixture(autouse=True)
def ordinary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without an entry in the password database, who has said nothing."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_runtime_directory_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/4711")
    assert directories.default_run_dir() == Path("/run/user/4711/wsgigroups")


def test_without_one_everything_is_below_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/joe")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert directories.default_run_dir() == Path("/home/joe/.local/state/wsgigroups/run")
    assert directories.default_log_dir() == Path("/home/joe/.local/state/wsgigroups/log")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert directories.default_run_dir() == Path("/state/wsgigroups/run")


def test_without_a_home_directory_it_is_an_error_where_it_matters(tmp_path: Path) -> None:
    for default in (directories.default_run_dir, directories.default_state_dir, directories.default_log_dir):
        with pytest.raises(WsgigroupsError, match="no home directory"):
            default()
    assert CliRunner().invoke(cli, ["explain", "threads"]).exit_code == 0
    done = CliRunner().invoke(cli, ["--run-dir", str(tmp_path), "status"])
    assert "no home directory" not in str(done.exception)
