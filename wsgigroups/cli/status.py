"""`wsgigroups status`: what runs."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.completing import complete_processes
from wsgigroups.cli.naming import NamedPart, split, spread
from wsgigroups.cli.output import write_data
from wsgigroups.cli.values import DURATION
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.plan.routing import GATEWAY

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client import Client
    from wsgigroups.client.answers import GroupAnswer, LastErrorAnswer, ProcessAnswer, StatusAnswer


@click.command("status", cls=Verb)
@click.argument("names", metavar="[GROUP[/SLOT]]…", nargs=-1, shell_complete=complete_processes)
@click.option("--check", is_flag=True, help="Exit 3 unless every group or process named is ready.")
@click.option("--for", "for_s", type=DURATION, metavar="TIME", help="With --check: and stays so for that long.")
@click.option("--watch", is_flag=True, help="Show it again every second until interrupted.")
@click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask the machines of this inventory of Ansible over ssh.",
)
@click.option("--timeout", type=DURATION, metavar="TIME", help="With --inventory: for each machine; 10s unless given.")
@click.option("-o", "--output", type=click.Choice(("text", "wide", "json", "yaml")), default="text")
@click.pass_obj
def command(
    options: Globals,
    names: tuple[str, ...],
    check: bool,
    for_s: float | None,
    watch: bool,
    inventory: Path | None,
    timeout: float | None,
    output: str,
) -> int:
    """Show groups: how many processes are ready, what they do, what is wrong; the manager last.

    Of groups that are named also their processes, how they are set, what happened last and the end of the log. `-o
    wide` has everything that is known of processes, in lines as long as that takes.

    With `--inventory` each machine of the file is asked by `ssh HOST wsgigroups status`, all at once, and there is one
    table of their groups. A machine that does not answer is a row that says why; with `--check` it is not ready.
    """
    from wsgigroups.cli import watching
    from wsgigroups.client import Client

    if inventory is not None:
        from wsgigroups.cli.status_machines import TIMEOUT_S, status_of_machines

        if watch or for_s is not None:
            raise click.UsageError("--inventory looks once: without --watch and --for.")
        timeout_s = TIMEOUT_S if timeout is None else timeout
        if math.isinf(timeout_s):
            raise click.UsageError("--timeout takes a time here: a machine may never answer.")
        return status_of_machines(options, inventory, names, output, check=check, timeout_s=timeout_s)
    if timeout is not None:
        raise click.UsageError("--timeout belongs to --inventory.")
    client = Client(options.run_dir)
    wide, readable = output == "wide", output in ("text", "wide")

    def ask() -> StatusAnswer:
        whole = client.status()
        found = select(whole, names)
        if readable and "gateway" in whole:  # addresses of groups are those of sites that lead to them
            found = found.copy()
            found["gateway"] = whole["gateway"]
        return found

    if for_s is not None and not check:
        raise click.UsageError("--for belongs to --check.")
    if watch:
        if check or not readable:
            raise click.UsageError("--watch shows a table until it is interrupted: without --check, json and yaml.")
        watching.watch_status(ask, options.color, named=bool(names), wide=wide, sites=_with_sites(names))
        return int(ExitCode.DONE)
    well = True
    if check:
        ill = partial(unhealthy, names=names)
        status, well = watching.lasting(ask, ill, for_s or 0.0, options.verbosity if for_s else -1)
    else:
        status = ask()
    if readable:
        _show(client, status, options.color, names, wide=wide)
    else:
        write_data(status, output)
    return int(ExitCode.DONE if well else ExitCode.NOT_RUNNING)


def _show(client: Client, status: StatusAnswer, color: str, names: tuple[str, ...], *, wide: bool) -> None:
    from wsgigroups.cli.status_table import show_status, status_console

    show_status(status, color, named=bool(names), wide=wide, sites=_with_sites(names))
    if not names:
        return
    from wsgigroups.cli.group_details import details

    out = status_console(color)
    wanted = split(spread(names, [group["name"] for group in status["groups"]]))
    for group in status["groups"]:
        if wanted[group["name"]].whole:
            for part in details(client, group, status.get("gateway")):
                out.print(part)


def _with_sites(names: tuple[str, ...]) -> bool:
    return not names or GATEWAY in names


def select(status: StatusAnswer, names: tuple[str, ...]) -> StatusAnswer:
    """Keep only the named groups and slots. Raises WsgigroupsError (exit code 4) for a name that is not there."""
    if not names:
        return status
    groups = {group["name"]: group for group in status["groups"]}
    wanted = split(spread(names, list(groups)))
    selected: list[GroupAnswer] = []
    for name, part in wanted.items():
        group = groups.get(name)
        if group is None:
            known = ", ".join(groups) or "none"
            raise _not_found(f"group {name!r}", f"groups here: {known}")
        for slot in sorted(part.slots - _slots(group)):
            known = ", ".join(f"{name}/{number}" for number in sorted(_slots(group))) or "none"
            raise _not_found(f"process '{name}/{slot}'", f"processes of {name}: {known}")
        kept = [process for process in group["processes"] if part.whole or process["slot"] in part.slots]
        error = group["last_error"] if part.whole else _last_death(kept)
        shown = group.copy()
        shown["processes"], shown["last_error"] = kept, error
        selected.append(shown)
    selected.sort(key=lambda group: list(groups).index(group["name"]))
    found = status.copy()
    found["groups"] = selected
    if GATEWAY not in wanted:
        found["gateway"] = None  # nobody asked for it
    return found


def healthy(status: StatusAnswer, names: tuple[str, ...]) -> bool:
    """Whether all that is named is ready: a group with all of its processes, a slot with the process that holds it."""
    return not unhealthy(status, names)


def unhealthy(status: StatusAnswer, names: tuple[str, ...]) -> list[str]:
    """The groups and slots that are named, or all groups, and are not ready."""
    wanted = split(spread(names, [group["name"] for group in status["groups"]]))
    found = []
    for group in status["groups"]:
        part = wanted.get(group["name"], NamedPart(whole=True))
        ready = {process["slot"] for process in group["processes"] if process["state"] == "ready"}
        if part.whole and group["state"] not in ("ready", "asleep"):
            found.append(group["name"])
        found += [f"{group['name']}/{slot}" for slot in sorted(part.slots - ready)]
    return found


def _slots(group: GroupAnswer) -> set[int]:
    """The slots that are there: those that somebody holds, and those that somebody should."""
    return {process["slot"] for process in group["processes"]} | set(range(1, group["processes_wanted"] + 1))


def _last_death(processes: list[ProcessAnswer]) -> LastErrorAnswer | None:
    """Of some slots, the latest life that ended without being asked to: what `why GROUP/SLOT` is about."""
    deaths = [death for process in processes if (death := process["last_death"])]
    return max(deaths, key=lambda death: int(death["life"]), default=None)


def _not_found(what: str, hint: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot find {what}", hint=hint, exit_code=ExitCode.NO_SUCH_GROUP)
