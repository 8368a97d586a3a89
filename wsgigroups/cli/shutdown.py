"""`wsgigroups shutdown`: drain everything and end the manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.amounts import counted
from wsgigroups.cli.interrupting import INTERRUPTED
from wsgigroups.cli.output import say
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import end_of, follow, wait_until_ended, with_wait, write_change
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("shutdown", cls=Verb)
@click.option("--now", is_flag=True, help="Do not wait for requests: kill at once.")
@with_wait
@click.pass_obj
def command(options: Globals, now: bool, no_wait: bool, timeout: float | None, output: str) -> int:
    """Drain everything and end the manager."""
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    before = client.status()
    watched = end_of(before["manager"]["pid"])
    number = client.act("shutdown", {"now": now})["change"]
    if no_wait:
        return follow(options, number, no_wait, timeout, output=output)
    try:
        code = follow(options, number, no_wait, timeout, output=output)
        if code == INTERRUPTED:
            return code
    except WsgigroupsError as error:
        if error.exit_code is not ExitCode.NO_MANAGER:  # it may end between two questions; that is what was asked for
            raise
        if output != "text":
            write_change(None, output, number)
    wait_until_ended(options.run_dir, timeout, watched)
    there = sum(process["pid"] is not None for group in before["groups"] for process in group["processes"])
    ended = f"{counted(there, 'process', 'processes')} {'killed' if now else 'stopped'}, " if there else ""
    say(f"Shut down: {ended}the manager (pid {before['manager']['pid']}) has ended.", options.verbosity)
    return int(ExitCode.DONE)
