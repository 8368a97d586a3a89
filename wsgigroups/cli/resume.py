"""`wsgigroups resume [CHANGE]`: let an apply go on that was paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import deadline, follow, with_wait

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("resume", cls=Verb)
@click.argument("change", metavar="[CHANGE]", type=click.IntRange(min=1), required=False)
@with_wait
@click.pass_obj
def command(options: Globals, change: int | None, no_wait: bool, timeout: float | None, output: str) -> int:
    """Let an apply go on that was paused, and wait for its end."""
    from wsgigroups.client import Client

    until = deadline(timeout)
    number = Client(options.run_dir).act("resume", {"change": change})["change"]
    return follow(options, number, no_wait, timeout, until=until, output=output, begun=False)
