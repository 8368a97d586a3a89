"""`run --group`: what the manager gets, at its start and when it reads the files again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from wsgigroups.cli.main import cli
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager import main
from wsgigroups.manager.main import ManagerOptions

TEXT = 'version = 1\n[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:8001"]\n[groups.b]\napp = "b:b"\n'


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ManagerOptions]:
    """What managers would have been started with."""
    found: list[ManagerOptions] = []
    monkeypatch.setattr(main, "run_manager", lambda options: found.append(options) or 0)
    return found


def run(tmp_path: Path, *arguments: str) -> BaseException | None:
    path = tmp_path / "groups.toml"
    path.write_text(TEXT)
    where = [f"--{name}-dir={tmp_path / name}" for name in ("run", "state", "log")]
    return CliRunner().invoke(cli, [*where, "run", *arguments, str(path)], standalone_mode=False).exception


def test_it_has_that_group_alone_and_stays_with_it(tmp_path: Path, started: list[ManagerOptions]) -> None:
    assert run(tmp_path, "--group", "a") is None
    (options,) = started
    assert options.configuration
    assert list(options.configuration.groups) == ["a"]
    assert options.reload
    assert list(options.reload().groups) == ["a"]


def test_without_it_all_are_there(tmp_path: Path, started: list[ManagerOptions]) -> None:
    assert run(tmp_path) is None
    assert started[0].configuration
    assert list(started[0].configuration.groups) == ["a", "b"]


def test_a_group_that_is_not_there_starts_nothing(tmp_path: Path, started: list[ManagerOptions]) -> None:
    error = run(tmp_path, "--group", "c")
    assert isinstance(error, WsgigroupsError)
    assert error.exit_code is ExitCode.NO_SUCH_GROUP
    assert not started


def test_without_files_there_is_nothing_to_choose_from(tmp_path: Path, started: list[ManagerOptions]) -> None:
    assert "chooses among the groups of files" in str(run(tmp_path, "--resume", "--group", "a"))
    assert not started
