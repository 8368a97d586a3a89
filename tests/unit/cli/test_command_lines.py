"""What all commands have in common: global options anywhere, `--json`, help with examples, errors in one voice."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from wsgigroups.cli.examples import EXAMPLES
from wsgigroups.cli.main import COMMANDS, Globals, cli, main


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in command.commands.items())
        else:
            yield name, command


def read(line: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Globals, dict[str, Any]]:
    """What a command line comes to, without doing it: the global options, and the command's own."""
    seen: list[click.Context] = []
    monkeypatch.setattr(click.Command, "invoke", lambda self, ctx: seen.append(ctx) or _invoke(self, ctx))
    result = CliRunner().invoke(cli, shlex.split(line), obj={})
    assert result.exception is None, result.output
    return seen[-1].obj, seen[-1].params


_REAL = click.Command.invoke


def _invoke(command: click.Command, ctx: click.Context) -> object:
    return _REAL(command, ctx) if isinstance(command, click.Group) else None


@pytest.mark.parametrize(
    "line",
    [
        "--run-dir /a --color never -q status blog",
        "status --run-dir /a --color never -q blog",
        "status blog -q --color=never --run-dir=/a",
        "--run-dir /b -vq status blog -q --color never --run-dir /a",
    ],
)
def test_global_options_stand_anywhere(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options, own = read(line, monkeypatch)
    assert (str(options.run_dir), options.color, options.verbosity, own["names"]) == ("/a", "never", -1, ("blog",))


def test_global_options_behind_a_command_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    options, _own = read("config -v show -v groups.toml --state-dir /a", monkeypatch)
    assert (options.verbosity, str(options.state_dir)) == (2, "/a")


@pytest.mark.parametrize("line", ["status --json", "status -o json", "status -o json --json"])
def test_json_has_a_short_name(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(line, monkeypatch)[1]["output"] == "json"


def test_whatever_prints_data_does_it_in_both_formats() -> None:
    """`serve` alone says one thing, in a line, to whoever started it."""
    choices = {
        words: set(parameter.type.choices)
        for words, command in commands()
        for parameter in command.params
        if parameter.name == "output" and isinstance(parameter.type, click.Choice)
    }
    assert len(choices) > 20
    assert {words for words, found in choices.items() if not {"text", "json", "yaml"} <= found} == {"serve"}


def test_the_report_of_validate_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text('version = 1\n[groups.a]\napp = "a:b"\nproceses = 2\n')
    asked = ["validate", "--offline", str(path), "-o"]
    done = {output: CliRunner().invoke(cli, [*asked, output], catch_exceptions=False) for output in ("json", "yaml")}
    found = json.loads(done["json"].stdout)
    assert found["valid"] is False
    assert YAML(typ="safe", pure=True).load(done["yaml"].stdout) == found


def test_json_comes_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGIGROUPS_STATUS_OUTPUT", "yaml")
    assert read("status", monkeypatch)[1]["output"] == "yaml"
    assert read("status --json", monkeypatch)[1]["output"] == "json"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "status --json -o yaml",
            ["error: --json and --output yaml exclude each other\n", "usage: wsgigroups status ["],
        ),
        ("statuss", ["error: no such command 'statuss'. Did you mean 'status'?\n", "hint: `wsgigroups --help`"]),
        (
            "drill",
            ["error: missing argument 'GROUP'\n", "usage: wsgigroups drill [", "hint: `wsgigroups drill --help`"],
        ),
        ("wait soon", ["error: invalid value for 'CHANGE': "]),
        ("import", ["error: missing argument 'KIND'. Choose from: apache, mod_wsgi-express, gunicorn, "]),
    ],
)
def test_a_wrong_line_is_told_in_the_same_voice(
    line: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["wsgigroups", *shlex.split(line)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    for each in words:
        assert each in err


def test_every_command_has_examples_and_they_are_command_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name for name, _command in commands()} == set(EXAMPLES)
    for name, examples in EXAMPLES.items():
        for line, _text in examples:
            words = line.partition(" > ")[0]
            assert line.startswith(name.split()[0]) or name == "facts", line
            read(words, monkeypatch)


def test_help_has_examples_and_environment_variables() -> None:
    for name, _command in commands():
        text = CliRunner().invoke(cli, [*name.split(), "--help"], prog_name="wsgigroups").output
        assert f"  wsgigroups {EXAMPLES[name][0][0]}" in text, text
        assert "WSGIGROUPS_RUN_DIR" in text
        assert "--color" in text
    text = CliRunner().invoke(cli, ["config", "show", "--help"], prog_name="wsgigroups").output
    assert "WSGIGROUPS_CONFIG_SHOW_OUTPUT" in text
