"""`wsgigroups why GROUP[/SLOT]`: the state of a group in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.actions import complete_groups

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("why")
@click.argument("name", metavar="GROUP[/SLOT]", shell_complete=complete_groups)
@click.pass_obj
def command(options: Globals, name: str) -> None:
    """Explain the state of a group or a process."""
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client

    for group in select(Client(options.run_dir).status(), (name,))["groups"]:
        ready, wanted = group["processes_ready"], group["processes_wanted"]
        scaled = ", scaled by hand" if group["scaled"] else ""
        click.echo(f"{group['name']} is {group['state']}: {ready} of {wanted} processes are ready{scaled}")
        click.echo(f"  {group['restarts']} restarts that nobody asked for; log: {group['log']}")
        for process in group["processes"]:
            text = f"  {group['name']}/{process['slot']} life {process['life']} is {process['state']}"
            if process["last_exit"]:
                text += f"; the life before it: {process['last_exit']}"
            if process["retry_in_s"] is not None:
                text += f"; failure {process['failures']} in a row, the next attempt is in {process['retry_in_s']} s"
            click.echo(text)
        error = group["last_error"]
        if error:
            step = f" (step {error['step']})" if error["step"] else ""
            click.echo(f"  last error, life {error['life']}{step}: {error['message']}")
            for line in (error["traceback"] or "").rstrip().splitlines():
                click.echo(f"    {line}")
