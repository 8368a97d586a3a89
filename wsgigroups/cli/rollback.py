"""`wsgigroups rollback [REVISION]`: apply an earlier revision again, or undo the apply that is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.completing import complete_revisions
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import deadline, follow, with_wait

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("rollback", cls=Verb)
@click.argument("revision", metavar="[REVISION]", type=int, required=False, shell_complete=complete_revisions)
@with_wait
@click.pass_obj
def command(options: Globals, revision: int | None, no_wait: bool, timeout: float | None, output: str) -> int:
    """Apply an earlier revision again; without a number the last good one before the one that runs.

    While an apply is under way, `rollback` without a number undoes that one: its groups return to what they were.
    """
    from wsgigroups.cli.turns import begin
    from wsgigroups.client import Client

    client, until = Client(options.run_dir), deadline(timeout)
    body = {} if revision is None else {"revision": revision}
    answer = begin(client, "rollback", body, queue=True, overtake=False, until=until)
    undone = answer["change"] is not None and client.wait(answer["change"], wait_s=0.0)["kind"] != "rollback"
    good = "rolled-back" if undone else "done"
    return follow(options, answer["change"], no_wait, timeout, until=until, good=good, output=output)
