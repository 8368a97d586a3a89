"""`wsgigroups logs`: the last lines of groups' logs, and what is added to them."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.completing import complete_processes
from wsgigroups.cli.log_files import FollowedLog, ToldLog, log_of
from wsgigroups.cli.log_lines import LogChoice, parsed
from wsgigroups.cli.moments import moment
from wsgigroups.cli.naming import spread
from wsgigroups.cli.output import OUTPUT_FORMATS, write_data, write_line
from wsgigroups.cli.verbs import Verb
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import StatusAnswer

POLL_S = 0.2  # how often a followed file is looked at; logs may lie on any file system, so no inotify
LINES = 20
NO_FILES = ("/dev/stdout", "/dev/stderr", "/dev/log")
_COLORS = ("cyan", "magenta", "yellow", "green", "blue", "bright_cyan", "bright_magenta", "bright_yellow")


@click.command("logs", cls=Verb)
@click.argument("names", metavar="[GROUP[/SLOT]]…", nargs=-1, shell_complete=complete_processes)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written.")
@click.option("-n", "--lines", type=click.IntRange(0), help="Lines to begin with: 20; with --since or --grep all.")
@click.option("--since", metavar="WHEN", help="From then on: 10m (ago), or a time as 2026-01-31T09:00:00Z.")
@click.option("--grep", metavar="RE", help="Records that a regular expression (Python's) is found in.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(OUTPUT_FORMATS),
    default="text",
    help="json: a line for each line; yaml: a list.",
)
@click.option("--manager", is_flag=True, help="The manager's own log.")
@click.option("--reopen", is_flag=True, help="Have all logs opened again, after logrotate has renamed them; show none.")
@click.pass_obj
def command(
    options: Globals,
    names: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: str | None,
    grep: str | None,
    output: str,
    manager: bool,
    reopen: bool,
) -> None:
    """Show or follow the logs of groups, or of single processes; without a name, of all."""
    if reopen:
        from wsgigroups.client import Client

        Client(options.run_dir).act("reopen", {})
        return
    asked = LogChoice(since_s=moment(since), pattern=_pattern(grep))
    if manager:
        shown = [_Shown("manager", FollowedLog(str(options.log_dir / "manager.log")), asked)]
    else:
        shown = _shown(options, names, asked)
    most = lines if lines is not None or since or grep else LINES
    writer = _Writer(several=len(shown) > 1, colored=_is_colored(options.color), output=output)
    wrote = [writer.write(log, log.file.last(most, log.choice)) for log in shown]
    if output == "yaml" and not follow and not any(wrote):
        write_data([], output)
    while follow:
        wrote = [writer.write(log, log.file.added(log.choice)) for log in shown]
        if not any(wrote):
            time.sleep(POLL_S)


@dataclass
class _Shown:
    """One group, with its log and what of it is asked for."""

    name: str
    file: FollowedLog | ToldLog
    choice: LogChoice


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise click.UsageError(f"--grep: {text!r} is no regular expression: {error}.") from None


def _shown(options: Globals, names: tuple[str, ...], asked: LogChoice) -> list[_Shown]:
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    everything = client.status()
    names = spread(names, [group["name"] for group in everything["groups"]])
    status: StatusAnswer = select(everything, names)
    whole = {name for name in names if "/" not in name}
    paths = [group["log"] for group in everything["groups"]]
    found = []
    for group in status["groups"]:
        if group["log"] in NO_FILES:  # nobody else has read it
            place = "syslog" if group["log"] == "/dev/log" else f"the manager's {group['log'][5:]}"
            click.echo(f"{group['name']} logs to {place}", err=True)
            continue
        name = group["name"]
        slots = {int(item.partition("/")[2]) for item in names if item.startswith(f"{name}/")}
        choice = LogChoice(
            group=name if paths.count(group["log"]) > 1 else "",
            slots=frozenset() if name in whole else frozenset(slots),
            since_s=asked.since_s,
            pattern=asked.pattern,
        )
        found.append(_Shown(name, log_of(client, name, group["log"]), choice))
    return found


def _is_colored(color: str) -> bool:
    if color != "auto":
        return color == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _document(name: str, line: str) -> dict[str, Any]:
    """A line for programs: whose log it is in, what it says of itself, and all of it."""
    said = parsed(line)
    at = None
    if said.time_s is not None:
        at = datetime.fromtimestamp(said.time_s, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"log": name, "at": at, "group": said.group or None, "slot": said.slot or None, "text": line}


class _Writer:
    """Writes lines, of several logs each with its group's name before it."""

    def __init__(self, *, several: bool, colored: bool, output: str) -> None:
        self._several = several
        self._output = output
        self._colored = colored
        self._colors: dict[str, str] = {}

    def write(self, log: _Shown, lines: list[str]) -> bool:
        """Write lines of a log; whether there were any."""
        for line in lines:
            if self._output == "json":
                write_line(_document(log.name, line))
                continue
            if self._output == "yaml":
                write_data([_document(log.name, line)], "yaml")
                sys.stdout.flush()
                continue
            # an application's log may hold anything; a terminal must not obey it, behind a pager either
            text = clean(line, "\t")
            click.echo(f"{self._before(log.name)}{text}", color=self._colored)
        return bool(lines)

    def _before(self, name: str) -> str:
        if not self._several:
            return ""
        if not self._colored:
            return f"{name} | "
        color = self._colors.setdefault(name, _COLORS[len(self._colors) % len(_COLORS)])
        return click.style(f"{name} |", fg=color) + " "
