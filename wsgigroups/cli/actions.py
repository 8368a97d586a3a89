"""The commands that ask the manager to do one thing to some groups; they differ in a word.

Runs in the user's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.completing import complete_groups, complete_processes
from wsgigroups.cli.naming import is_pattern, split, spread
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import follow, with_wait
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client import Client

_ALL = click.option("--all", "everything", is_flag=True, help="Every group, but not the gateway.")


def group_action(action: str, doc: str, *, of_processes: bool = False) -> click.Command:
    """Make the command `ACTION GROUP…`, with of_processes `ACTION GROUP[/SLOT]…`."""
    complete = complete_processes if of_processes else complete_groups

    @click.command(action, help=doc, cls=Verb)
    @click.argument("names", metavar="GROUP[/SLOT]…" if of_processes else "GROUP…", nargs=-1, shell_complete=complete)
    @_ALL
    @with_wait
    @click.pass_obj
    def command(
        options: Globals, names: tuple[str, ...], everything: bool, no_wait: bool, timeout: float | None, output: str
    ) -> int:
        from wsgigroups.client import Client

        if bool(names) is everything:
            raise click.UsageError("name groups, or give --all: one of both.")
        client = Client(options.run_dir)
        body = _body(client, names, everything=everything, of_processes=of_processes)
        return follow(options, client.act(action, body)["change"], no_wait, timeout, output=output)

    return command


def _body(client: Client, names: tuple[str, ...], *, everything: bool, of_processes: bool) -> dict[str, Any]:
    """What the manager is asked. Raises WsgigroupsError (4), and click.UsageError for slots where none may stand."""
    if everything or any(map(is_pattern, names)):
        groups = [group["name"] for group in client.status()["groups"]]
        names = tuple(name for name in groups if not name.startswith("@")) if everything else spread(names, groups)
        if not names:
            raise WsgigroupsError("cannot find any group", exit_code=ExitCode.NO_SUCH_GROUP)
    if not of_processes:
        return {"groups": list(names)}
    parts = split(names)
    slots = {name: sorted(part.slots) for name, part in parts.items() if not part.whole}
    return {"groups": list(parts), **({"slots": slots} if slots else {})}
