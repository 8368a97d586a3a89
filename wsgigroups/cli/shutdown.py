"""`wsgigroups shutdown`: drain everything and end the manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.waiting import follow, with_wait

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("shutdown")
@click.option("--now", is_flag=True, help="Do not wait for requests: kill at once.")
@with_wait
@click.pass_obj
def command(options: Globals, now: bool, no_wait: bool, timeout: float | None) -> int:
    """Drain everything and end the manager."""
    from wsgigroups.cli.waiting import wait_until_ended
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    answer = client.post("/v1/shutdown", {"now": now})
    code = follow(options, answer, no_wait, timeout)
    if not no_wait:
        wait_until_ended(options.run_dir, timeout)
    return code
