"""`wsgigroups status`: what runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.actions import complete_groups
from wsgigroups.cli.output import OUTPUT_FORMATS, write_data
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("status")
@click.argument("names", metavar="[GROUP[/SLOT]]…", nargs=-1, shell_complete=complete_groups)
@click.option("--check", is_flag=True, help="Exit 3 unless every group shown is ready.")
@click.option("--watch", is_flag=True, help="Show it again every second until interrupted.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, names: tuple[str, ...], check: bool, watch: bool, output: str) -> int:
    """Show groups and processes."""
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    if watch:
        from wsgigroups.cli.table import watch_status

        watch_status(lambda: select(client.status(), names), options.color, time.sleep)
        return int(ExitCode.DONE)
    status = select(client.status(), names)
    if output == "text":
        from wsgigroups.cli.table import show_status

        show_status(status, options.color)
    else:
        write_data(status, output)
    healthy = all(group["state"] == "ready" for group in status["groups"])
    return int(ExitCode.NOT_RUNNING) if check and not healthy else int(ExitCode.DONE)


def select(status: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Keep only the named groups and slots. Raises WsgigroupsError (exit code 4) for a name that is not there."""
    if not names:
        return status
    wanted: dict[str, set[int] | None] = {}
    for name in names:
        group, slash, slot = name.partition("/")
        if slash and not slot.isdigit():
            raise click.UsageError(f"cannot read {name!r}: write GROUP or GROUP/SLOT")
        known = wanted.setdefault(group, set())
        if not slash:
            wanted[group] = None
        elif known is not None:
            known.add(int(slot))
    groups: list[dict[str, Any]] = []
    for found in status["groups"]:
        if found["name"] in wanted:
            slots = wanted.pop(found["name"])
            kept = [process for process in found["processes"] if slots is None or process["slot"] in slots]
            groups.append({**found, "processes": kept})
    if wanted:
        known_names = ", ".join(group["name"] for group in status["groups"]) or "none"
        raise WsgigroupsError(
            f"cannot find group {min(wanted)!r}", hint=f"groups here: {known_names}", exit_code=ExitCode.NO_SUCH_GROUP
        )
    return {**status, "groups": groups}
