"""`wsgigroups wait CHANGE`: wait for the end of a change that was begun before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.output import OUTPUT_FORMATS
from wsgigroups.cli.values import DURATION
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import follow

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("wait", cls=Verb)
@click.argument("change", type=click.IntRange(min=1))
@click.option(
    "--timeout", type=DURATION, metavar="TIME", help="Give up waiting after that long: 30, 30s, 5m; 0: never."
)
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, change: int, timeout: float | None, output: str) -> int:
    """Wait for a change; its number is what --no-wait prints. The exit code is the one of the command that began it."""
    return follow(options, change, no_wait=False, timeout_s=timeout, output=output, begun=False)
