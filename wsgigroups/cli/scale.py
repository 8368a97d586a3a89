"""`wsgigroups scale GROUP=N…`: another number of processes until the next apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.completing import complete_counts
from wsgigroups.cli.naming import is_pattern, spread
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import follow, with_wait
from wsgigroups.config.counts import MAXIMUM_PROCESSES

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("scale", cls=Verb)
@click.argument("counts", metavar="GROUP=N…", nargs=-1, required=True, shell_complete=complete_counts)
@with_wait
@click.pass_obj
def command(options: Globals, counts: tuple[str, ...], no_wait: bool, timeout: float | None, output: str) -> int:
    """Change the number of processes until the next apply. `plan` shows the difference."""
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    processes = {}
    for text in counts:
        name, sign, number = text.rpartition("=")
        if not sign or not name or not number.isascii() or not number.isdigit():
            raise click.UsageError(f"cannot read {text!r}: write GROUP=N, for example blog=4")
        if not 1 <= int(number[:5]) <= MAXIMUM_PROCESSES:
            way = f"; `wsgigroups stop {name}` stops it" if not int(number[:5]) else ""
            raise click.UsageError(f"{text}: between 1 and {MAXIMUM_PROCESSES} processes, please{way}")
        named: tuple[str, ...] = (name,)
        if is_pattern(name):
            named = spread(named, [group["name"] for group in client.status()["groups"]])
        processes.update(dict.fromkeys(named, int(number)))
    change = client.act("scale", {"processes": processes})["change"]
    return follow(options, change, no_wait, timeout, output=output)
