"""`wsgigroups why GROUP[/SLOT]`: the state of a group in sentences, and how its processes ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.amounts import counted
from wsgigroups.cli.completing import complete_processes
from wsgigroups.cli.output import OUTPUT_FORMATS, indented, say, write_data
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import GroupAnswer


@click.command("why", cls=Verb)
@click.argument("name", metavar="GROUP[/SLOT]", shell_complete=complete_processes)
@click.option("--last", type=click.IntRange(0, 1000), default=10, show_default=True, help="The newest so many deaths.")
@click.option("--stacks", is_flag=True, help="With the stacks of requests that were under way, and the end of the log.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, name: str, last: int, stacks: bool, output: str) -> None:
    """Explain the state of a group or a process, and how its processes ended."""
    from wsgigroups.cli import deaths
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    group, _slash, slot = name.partition("/")
    number = int(slot) if slot.isascii() and slot.isdigit() else 0
    try:
        groups: list[Any] = [reasons(item) for item in select(client.status(), (name,))["groups"]]
    except WsgigroupsError as error:
        found = []
        if error.exit_code is ExitCode.NO_MANAGER:
            found = deaths.left_behind(options.state_dir, group, number, last)
        if not found:
            raise
        say(f"no manager runs: this is what the last one has left of {name}", options.verbosity)
        groups = [{"name": group, "deaths": found}]
    else:
        for item in groups:
            item["deaths"] = deaths.asked_for(client, item["name"], number, last)
    if output != "text":
        write_data({"schema_version": 1, "groups": groups}, output)
        return
    for item in groups:
        lines = [
            *(sentences(item, stacks=stacks) if "state" in item else ()),
            *deaths.sentences(item["deaths"], stacks=stacks),
        ]
        click.echo("\n".join(lines))


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
    "slow_requests",
)
_OF_PROCESS = ("slot", "life", "state", "last_exit", "failures", "retry_in_s")


def reasons(group: GroupAnswer) -> dict[str, Any]:
    """What explains the state of a group: that part of its status."""
    whole: Mapping[str, Any] = group
    members: Sequence[Mapping[str, Any]] = group["processes"]
    processes = [{key: process[key] for key in _OF_PROCESS} for process in members]
    return {**{key: whole.get(key) for key in _OF_GROUP}, "processes": processes}


def sentences(group: GroupAnswer, *, stacks: bool = False) -> Iterator[str]:
    """The same for people, a line each; nothing in them is obeyed by a terminal. stacks: with all that was told."""
    return map(clean, _sentences(group, stacks=stacks))


def _sentences(group: GroupAnswer, *, stacks: bool) -> Iterator[str]:
    ready, wanted = group["processes_ready"], group["processes_wanted"]
    scaled = ", scaled by hand" if group["scaled"] else ""
    yield f"{group['name']} is {group['state']}: {ready} of {wanted} processes are ready{scaled}"
    yield f"  {counted(group['restarts'], 'unexpected restart')}; log: {group['log']}"
    slow = group.get("slow_requests", 0)
    if slow:
        yield f"  {counted(slow, 'request')} took longer than slow-request; the log has each, with its stack"
    for process in group["processes"]:
        yield f"  {group['name']}/{process['slot']} {_process(process)}"
    for option, why in group["not_in_force"].items():
        yield f"  {option} is not in force: {why}"
    for address, why in group["unreachable"].items():
        yield f"  nobody can connect to {address}: {why}"
    error = group["last_error"]
    if error:
        step = f" (step {error['step']})" if error["step"] else ""
        yield f"  last error, life {error['life']}{step}: {error['message']}"
        told = error["traceback"] or ""
        yield from indented(told) if stacks else _shortened(told, group["name"])


def _shortened(told: str, group: str) -> Iterator[str]:
    """Of an error all of its traceback; of the stacks of threads the innermost calls of the application."""
    from wsgigroups.manager.core.stacks import fold, read, without_stacks

    threads = read(told)
    if not threads:
        yield from indented(told)
        return
    yield from (f"    {line}" for line in without_stacks(told.splitlines()) if line.strip())
    for thread in threads:
        own = [frame for frame in fold(thread.frames) if frame.kind == "application"]
        if own:
            yield f"    in {own[-1]}"
    yield f"    all stacks: wsgigroups why {group} --stacks"


def _process(process: Mapping[str, Any]) -> str:
    """What a process does: `life 7 is ready`, `keeps failing: 3 failures in a row, next try in 0.5 s`."""
    before = process["last_exit"]
    if process["retry_in_s"] is None:
        return f"life {process['life']} is {process['state']}" + (
            f"; the process before it: {before}" if before else ""
        )
    often = counted(process["failures"], "failure")
    what = f"keeps failing: {often} in a row" if process["failures"] > 1 else f"has failed: {often}"
    return f"{what}, next try in {process['retry_in_s']} s" + (f"; the last: {before}" if before else "")
