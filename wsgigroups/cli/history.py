"""`wsgigroups history`: the accepted configurations and how their rollouts ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.output import OUTPUT_FORMATS, write_data

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("history")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, output: str) -> None:
    """List accepted configurations, newest first."""
    from wsgigroups.client import Client

    answer = Client(options.run_dir).history()
    if output != "text":
        write_data(answer, output)
        return
    from wsgigroups.cli.table import show_history

    show_history(answer["revisions"], options.color)
