"""`wsgigroups history`: the accepted configurations and how their rollouts ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.completing import complete_revisions
from wsgigroups.cli.output import OUTPUT_FORMATS, write_data
from wsgigroups.cli.verbs import Verb
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import DifferenceAnswer


@click.command("history", cls=Verb)
@click.argument(
    "revision", metavar="[REVISION]", required=False, type=click.IntRange(1), shell_complete=complete_revisions
)
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, revision: int | None, output: str) -> None:
    """List accepted configurations, newest first; of one REVISION what differs from the one before it."""
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    if revision is not None:
        difference = client.difference(revision)
        if output == "text":
            click.echo("\n".join(map(clean, _lines(difference))))
        else:
            write_data(difference, output)
        return
    answer = client.history()
    if output != "text":
        write_data(answer, output)
        return
    from wsgigroups.cli.history_table import show_history

    show_history(answer["revisions"], options.color)


def _lines(difference: DifferenceAnswer) -> Iterator[str]:
    """What differs, a line for each key."""
    row, before = difference["revision"], difference["before"]
    ended = f" at {row['ended_at']}" if row["ended_at"] else ""
    runs = ", it runs" if row["running"] else ""
    yield f"revision {row['revision']}, accepted at {row['accepted_at']} by {row['by']}: {row['outcome']}{ended}{runs}"
    yield f"beside revision {before}:" if before is not None else "no revision before it is kept: this is all of it"
    for change in difference["changes"]:
        old, new = change["old"], change["new"]
        text = new if change["sign"] == "+" else old if change["sign"] == "-" else f"{old} → {new}"
        yield f"  {change['sign']} {change['key']}: {text}"
    if not difference["changes"]:
        yield "  nothing differs"
