"""`wsgigroups why GROUP[/SLOT]`: the state of a group in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.actions import complete_groups
from wsgigroups.cli.output import OUTPUT_FORMATS, indented, write_data
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import GroupAnswer


@click.command("why")
@click.argument("name", metavar="GROUP[/SLOT]", shell_complete=complete_groups)
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, name: str, output: str) -> None:
    """Explain the state of a group or a process."""
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client

    groups: list[Any] = [reasons(group) for group in select(Client(options.run_dir).status(), (name,))["groups"]]
    if output != "text":
        write_data({"schema_version": 1, "groups": groups}, output)
        return
    for group in groups:
        click.echo("\n".join(sentences(group)))


_OF_GROUP = (
    "name",
    "state",
    "processes_ready",
    "processes_wanted",
    "scaled",
    "restarts",
    "log",
    "not_in_force",
    "unreachable",
    "last_error",
)
_OF_PROCESS = ("slot", "life", "state", "last_exit", "failures", "retry_in_s")


def reasons(group: GroupAnswer) -> dict[str, Any]:
    """What explains the state of a group: that part of its status."""
    whole: Mapping[str, Any] = group
    members: Sequence[Mapping[str, Any]] = group["processes"]
    processes = [{key: process[key] for key in _OF_PROCESS} for process in members]
    return {**{key: whole[key] for key in _OF_GROUP}, "processes": processes}


def sentences(group: GroupAnswer) -> Iterator[str]:
    """The same for people, a line each; nothing in them is obeyed by a terminal."""
    return map(clean, _sentences(group))


def _sentences(group: GroupAnswer) -> Iterator[str]:
    ready, wanted = group["processes_ready"], group["processes_wanted"]
    scaled = ", scaled by hand" if group["scaled"] else ""
    yield f"{group['name']} is {group['state']}: {ready} of {wanted} processes are ready{scaled}"
    yield f"  {group['restarts']} restarts that nobody asked for; log: {group['log']}"
    for process in group["processes"]:
        text = f"  {group['name']}/{process['slot']} life {process['life']} is {process['state']}"
        if process["last_exit"]:
            text += f"; the life before it: {process['last_exit']}"
        if process["retry_in_s"] is not None:
            text += f"; failure {process['failures']} in a row, the next attempt is in {process['retry_in_s']} s"
        yield text
    for option, why in group["not_in_force"].items():
        yield f"  {option} is not in force: {why}"
    for address, why in group["unreachable"].items():
        yield f"  nobody can connect to {address}: {why}"
    error = group["last_error"]
    if error:
        step = f" (step {error['step']})" if error["step"] else ""
        yield f"  last error, life {error['life']}{step}: {error['message']}"
        yield from indented(error["traceback"])
