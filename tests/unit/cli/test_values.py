"""Values on the command line are written as in files."""

from __future__ import annotations

import math

import click
import pytest
from click.testing import CliRunner

from wsgigroups.cli.main import COMMANDS, cli
from wsgigroups.cli.values import DURATION


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("0.25", 0.25), ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25), ("1.5s", 1.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


def test_0_is_no_limit() -> None:
    assert DURATION.convert("0", None, None) == DURATION.convert("0s", None, None) == math.inf


@pytest.mark.parametrize("text", ["soon", "-1", "", "5 m", "1m1h", "nan", "inf", "9999999999999"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="duration") as caught:
        DURATION.convert(text, None, None)
    assert '"5m"' in caught.value.message


def waiting() -> list[str]:
    """Commands that have --timeout."""
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in COMMANDS}
    return [name for name, found in commands.items() if found and "timeout" in {item.name for item in found.params}]


def test_the_commands_that_wait() -> None:
    changing = {
        "apply",
        "start",
        "stop",
        "restart",
        "reload",
        "scale",
        "rollback",
        "shutdown",
        "upgrade",
        "deploy",
        "resume",
    }
    assert set(waiting()) == {*changing, "drill", "wait", "status"}


@pytest.mark.parametrize("name", waiting())
def test_every_command_that_waits_takes_durations(name: str) -> None:
    run = CliRunner().invoke
    refused = run(cli, [name, "--timeout", "soon", "x"])
    assert refused.exit_code == 2
    assert "cannot read 'soon' as a duration" in refused.output
    # with a duration the next thing that is missing is a file, a group or a manager
    for text in ("30s", "5m", "1"):
        assert "duration" not in run(cli, ["--run-dir", "/nowhere", name, "--timeout", text, "nothing=1"]).output
