"""`wsgigroups events`: what happened to groups and processes, also before the manager that runs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

import click

from wsgigroups.cli.completing import complete_groups
from wsgigroups.cli.moments import moment
from wsgigroups.cli.output import OUTPUT_FORMATS, say, write_data
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import EventAnswer, EventsAnswer

WAIT_S = 30.0  # of one question while they are followed
AGAIN_S = 1.0  # between two attempts to reach a manager that has ended
NEWEST = 100  # events that are shown where nobody says how many
PAGE = 1000  # events in one answer


@click.command("events", cls=Verb)
@click.argument("group", required=False, shell_complete=complete_groups)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, also under the next manager.")
@click.option("--since", metavar="WHEN", help="From then on: 10m (ago), or a time as 2026-01-31T09:00:00Z.")
@click.option("-n", "--limit", type=click.IntRange(1, PAGE), help=f"The newest so many: 100, with --since {PAGE}.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(
    options: Globals, group: str | None, follow: bool, since: str | None, limit: int | None, output: str
) -> None:
    """Show what happened: starts, deaths with their cause, changes, adoption."""
    if follow and output == "yaml":
        raise click.UsageError("--follow writes text, or a line of JSON for each event.")
    most = limit or (PAGE if since else NEWEST)
    query: dict[str, Any] = {"limit": most, "since": moment(since), "group": group}
    try:
        answer = _ask(options, query)
    except WsgigroupsError as error:
        if error.exit_code is not ExitCode.NO_MANAGER or follow:
            raise
        answer = _kept(options, query, error)
    if since and limit is None and len(answer["events"]) == most:
        say(f"these are the newest {most}: there may be older ones since then", options.verbosity)
    if not follow:
        if output != "text":
            write_data(answer, output)
        else:
            show(answer, output)
        return
    while True:
        show(answer, output)
        query.update(after=max(answer["last"], 0), limit=PAGE, wait_s=WAIT_S, since=0.0)
        if len(answer["events"]) == PAGE:
            query["after"] = answer["events"][-1]["number"]
        answer = _ask_again(options, query, answer["last"])


def _ask_again(options: Globals, query: dict[str, Any], last: int) -> EventsAnswer:
    """Ask the manager, or the next one. Nothing is new while there is none."""
    try:
        return _ask(options, query)
    except WsgigroupsError as error:
        if error.exit_code is not ExitCode.NO_MANAGER:
            raise
        time.sleep(AGAIN_S)
        return {"schema_version": 1, "events": [], "last": last}


def _ask(options: Globals, query: dict[str, Any]) -> EventsAnswer:
    from urllib.parse import urlencode

    from wsgigroups.client import Client

    given = {name: value for name, value in query.items() if value}
    return Client(options.run_dir).events(f"?{urlencode(given)}", query.get("wait_s", 0.0))


def _kept(options: Globals, query: dict[str, Any], error: WsgigroupsError) -> EventsAnswer:
    """What the last manager has left behind. Raises the error that led here when there is nothing to be read."""
    from wsgigroups.manager import journal
    from wsgigroups.manager.control.showing_events import of_entries

    found = journal.read(options.state_dir)
    if not found:
        raise error
    wanted = journal.chosen(found, since=query["since"], group=query["group"], limit=query["limit"])
    answer: Any = of_entries(wanted).model_dump(mode="json")
    return cast("EventsAnswer", answer)


def show(answer: EventsAnswer, output: str) -> None:
    """Print a line for each event, of text or JSON."""
    for event in answer["events"]:
        click.echo(json.dumps(event) if output == "json" else line(event))


def line(event: EventAnswer) -> str:
    """Return one event as a line, clean."""
    who = event["group"] or ""
    if event["slot"] is not None:
        who += f"/{event['slot']} life={event['life']}"
    if event["pid"] is not None:
        who += f" pid={event['pid']}"
    if event["change"] is not None:
        who += f" change {event['change']}"
    text = f": {event['text']}" if event["text"] else ""
    return clean(f"{event['at']}  {event['kind']:<15} {who.strip()}{text}")
