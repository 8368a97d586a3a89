"""A program that asked for a document gets one from a command that fails, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from wsgigroups.cli import output
from wsgigroups.cli.main import cli
from wsgigroups.errors import BusyError, MovedError, WsgigroupsError

NOBODY = [
    ("status", "--json"),
    ("why", "g", "-o", "json"),
    ("history", "-o", "json"),
    ("events", "-o", "json"),
    ("advise", "-o", "json"),
    ("stop", "g", "-o", "json"),
    ("scale", "g=2", "-o", "json"),
    ("rollback", "-o", "json"),
    ("deploy", "g", "-o", "json"),
    ("wait", "1", "-o", "json"),
    ("pause", "-o", "json"),
    ("upgrade", "--yes", "-o", "json"),
    ("shutdown", "-o", "json"),
]


def run(directory: Path, *arguments: str) -> tuple[str, BaseException | None]:
    """What a command writes, and what it raises, as the entry point gets it. No manager runs there."""
    done = CliRunner().invoke(cli, ["--run-dir", str(directory), *arguments], standalone_mode=False, obj={})
    return done.stdout, done.exception


@pytest.mark.parametrize("arguments", NOBODY, ids=lambda arguments: arguments[0])
def test_no_manager(arguments: tuple[str, ...], tmp_path: Path) -> None:
    written, error = run(tmp_path, *arguments)
    assert isinstance(error, WsgigroupsError), error
    document = json.loads(written)
    assert document == {"schema_version": 1, "error": error.message, "hint": error.hint, "exit_code": 6}


def test_yaml(tmp_path: Path) -> None:
    written, error = run(tmp_path, "status", "-o", "yaml")
    assert isinstance(error, WsgigroupsError)
    assert YAML(typ="safe").load(written)["error"] == error.message


def test_people_get_none(tmp_path: Path) -> None:
    assert run(tmp_path, "status")[0] == ""


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "groups.toml"
    file.write_text("version = 1\n[groups.a]\nproceses = 2\n")
    written, error = run(tmp_path, "plan", str(file), "-o", "json")
    assert isinstance(error, WsgigroupsError)
    assert json.loads(written)["exit_code"] == 2


@pytest.mark.parametrize(
    ("error", "more"),
    [
        (BusyError("cannot apply now", {"change": 7}), {"holder": {"change": 7}}),
        (MovedError(("one", "two")), {"moved": ["one", "two"]}),
    ],
)
def test_what_else_is_known(error: WsgigroupsError, more: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    output.write_error(error, "json")
    assert json.loads(capsys.readouterr().out).items() >= more.items()


def test_a_result_is_not_followed_by_a_second_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def written_and_failed(*_arguments: Any, **_more: Any) -> None:
        output.write_data({"schema_version": 1}, "json")
        raise WsgigroupsError("cannot see the manager end in time")

    monkeypatch.setattr("wsgigroups.client.Client.status", written_and_failed)
    written, error = run(tmp_path, "status", "-o", "json")
    assert isinstance(error, WsgigroupsError)
    assert json.loads(written) == {"schema_version": 1}
