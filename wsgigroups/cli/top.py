"""`wsgigroups top`: what every group, process and thread does, live, over the whole terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.completing import complete_groups
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("top", cls=Verb)
@click.argument("groups", metavar="[GROUP]…", nargs=-1, shell_complete=complete_groups)
@click.pass_obj
def command(options: Globals, groups: tuple[str, ...]) -> int:
    """Show what every group, process and thread does, live.

    \b
    ↑ ↓     choose a group        Tab     to its threads and back
    s, S    sort; turn round      space   hold still
    r, c    restart, scale (both ask first)
    q       quit
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WsgigroupsError(
            "cannot show a screen: this is no terminal",
            hint="`wsgigroups status -o json` is for programs, `status --watch` for slow terminals",
            exit_code=ExitCode.USAGE,
        )
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    names = tuple(group["name"] for group in select(client.status(), groups)["groups"]) if groups else ()
    if not groups:
        client.status()  # who may not ask, or has no manager, hears of it before the terminal is another
    if options.color == "never":
        os.environ["NO_COLOR"] = "1"  # what textual goes by, from its import on
    from wsgigroups.cli.top_screen import Top

    top = Top(client, names)
    top.run()
    return top.return_code or int(ExitCode.DONE)
