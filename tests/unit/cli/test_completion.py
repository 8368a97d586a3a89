"""What the shell completes, and where the script for it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from wsgigroups.cli.completion import SHELLS, place
from wsgigroups.cli.main import cli
from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError

STATUS = {
    "groups": [
        {"name": "blog", "processes_wanted": 2, "processes": [{"slot": 1}, {"slot": 2}, {"slot": 2}]},
        {"name": "shop", "processes_wanted": 3, "processes": []},
    ]
}
HISTORY = {
    "revisions": [
        {"revision": 12, "outcome": "done", "accepted_at": "today"},
        {"revision": 3, "outcome": "done", "accepted_at": ""},
    ]
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The sockets of managers that were asked; each has the same groups."""
    seen: list[Path] = []

    def answer(document: Any) -> Any:
        return lambda self, *_arguments: seen.append(self.path) or document

    monkeypatch.setattr(Client, "status", answer(STATUS))
    monkeypatch.setattr(Client, "history", answer(HISTORY))
    monkeypatch.delenv("WSGIGROUPS_RUN_DIR", raising=False)
    return seen


def completions(line: str, incomplete: str = "") -> list[str]:
    complete = ShellComplete(cli, {"auto_envvar_prefix": "WSGIGROUPS"}, "wsgigroups", "_WSGIGROUPS_COMPLETE")
    return [item.value for item in complete.get_completions(line.split(), incomplete)]


@pytest.mark.parametrize(
    ("line", "incomplete", "found"),
    [
        ("restart", "", ["blog", "shop"]),
        ("restart", "b", ["blog"]),
        ("restart blog", "blog/", ["blog/1", "blog/2"]),
        ("status", "blog/2", ["blog/2"]),
        ("stop", "blog/", []),
        ("scale", "s", ["shop=3"]),
        ("rollback", "1", ["12"]),
        ("history", "", ["12", "3"]),
        ("explain", "request-timeout-", ["request-timeout-mode"]),
        ("explain", "wg030", [f"WG030{number}" for number in range(1, 10)]),
        ("", "stat", ["status"]),
    ],
)
def test_names(asked: list[Path], line: str, incomplete: str, found: list[str]) -> None:
    assert completions(line, incomplete) == found


def test_the_manager_that_the_command_would_ask(asked: list[Path]) -> None:
    for line in ("--run-dir /a restart", "restart --run-dir /a"):
        assert completions(line) == ["blog", "shop"]
    assert asked == [Path("/a/control.sock")] * 2
    completions("restart")
    assert asked[2].name == "control.sock"


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completions(f"--run-dir {tmp_path} restart") == []
    assert completions(f"--run-dir {tmp_path} rollback") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_installed_where_the_shell_looks(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    done = CliRunner().invoke(cli, ["completion", "--install"])
    assert done.exit_code == 0, done.output
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert path == place(shell, {"HOME": str(tmp_path)})
    assert str(path) in done.stderr
    assert "_WSGIGROUPS_COMPLETE" in path.read_text()
    assert CliRunner().invoke(cli, ["completion", shell]).stdout == path.read_text() + "\n"


def test_a_shell_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/csh")
    done = CliRunner().invoke(cli, ["completion"])
    assert isinstance(done.exception, WsgigroupsError)
    assert done.exception.exit_code is ExitCode.USAGE
    with pytest.raises(WsgigroupsError, match="HOME"):
        place("bash", {})


def test_options_and_choices_are_completed_behind_the_command() -> None:
    assert "--color" in completions("status", "--")
    assert completions("status --color", "a") == ["auto", "always"]
    assert isinstance(cli, click.Group)
