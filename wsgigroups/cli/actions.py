"""The commands that ask the manager to do one thing to some groups; they differ in a word.

Runs in the user's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.waiting import follow, with_wait

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


def complete_groups(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of running groups, for the shell's completion; nothing when no manager answers."""
    from wsgigroups.client import Client
    from wsgigroups.errors import WsgigroupsError

    root = ctx.find_root()
    run_dir = root.params.get("run_dir")
    if run_dir is None:
        return []
    try:
        groups = Client(run_dir, timeout_s=2.0).status()["groups"]
    except WsgigroupsError:
        return []
    return [group["name"] for group in groups if group["name"].startswith(incomplete)]


def group_action(action: str, doc: str) -> click.Command:
    """Make the command `ACTION GROUP…`."""

    @click.command(action, help=doc)
    @click.argument("groups", metavar="GROUP…", nargs=-1, required=True, shell_complete=complete_groups)
    @with_wait
    @click.pass_obj
    def command(options: Globals, groups: tuple[str, ...], no_wait: bool, timeout: float | None) -> int:
        from wsgigroups.client import Client

        body: dict[str, Any] = {"groups": list(groups)}
        return follow(options, Client(options.run_dir).act(action, body)["change"], no_wait, timeout)

    return command
