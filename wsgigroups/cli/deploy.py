"""`wsgigroups deploy GROUP [RELEASE]`: the code that is there now, for the processes of one group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.completing import complete_groups
from wsgigroups.cli.turns import begin
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import deadline, follow, with_wait

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("deploy", cls=Verb)
@click.argument("group", shell_complete=complete_groups)
@click.argument("release", metavar="[RELEASE]", required=False)
@click.option("--no-queue", is_flag=True, help="Leave at once (exit 1) when an apply is under way.")
@with_wait
@click.pass_obj
def command(
    options: Globals,
    group: str,
    release: str | None,
    no_queue: bool,
    no_wait: bool,
    timeout: float | None,
    output: str,
) -> int:
    """Put new code of a group into service: the code that is in its place now.

    The first new process has to load it, and to answer health-path, before an old one stops; then the others follow one
    by one. When one fails, those in place keep serving, and the exit code is 8. Other groups and the configuration stay
    as they are. RELEASE is a name for it, such as a version or a commit: `history` shows it.
    """
    from wsgigroups.client import Client

    client, until = Client(options.run_dir), deadline(timeout)
    body: dict[str, Any] = {"group": group, "release": release or ""}
    number = begin(client, "deploy", body, queue=not no_queue, overtake=False, until=until)["change"]
    return follow(options, number, no_wait, timeout, until=until, output=output)
