"""`wsgigroups rollback [REVISION]`: apply an earlier revision again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.waiting import follow, with_wait

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("rollback")
@click.argument("revision", type=int, required=False)
@with_wait
@click.pass_obj
def command(options: Globals, revision: int | None, no_wait: bool, timeout: float | None) -> int:
    """Apply an earlier revision again; without one, the last good one before the one that runs."""
    from wsgigroups.client import Client

    body = {} if revision is None else {"revision": revision}
    return follow(options, Client(options.run_dir).post("/v1/rollback", body), no_wait, timeout)
