"""`wsgigroups pause [CHANGE]`: let the apply under way rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.output import OUTPUT_FORMATS, say
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import write_change

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("pause", cls=Verb)
@click.argument("change", metavar="[CHANGE]", type=click.IntRange(min=1), required=False)
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, change: int | None, output: str) -> int:
    """Let the apply under way rest: no further process is replaced, and no group is removed.

    What has begun is brought to its end, what ends is followed, and what fails is still undone.
    """
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    number = client.act("pause", {"change": change})["change"]
    if output != "text" and number is not None:
        write_change(client.wait(number, wait_s=0.0), output, number)
    else:
        say(f"Change {number} is paused.", options.verbosity)
        say("hint: `wsgigroups resume` lets it go on, `wsgigroups rollback` undoes it", options.verbosity)
    return 0
