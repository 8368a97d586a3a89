"""`wsgigroups status`: what runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.actions import complete_groups
from wsgigroups.cli.output import OUTPUT_FORMATS, write_data
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import GroupAnswer, LastErrorAnswer, ProcessAnswer, StatusAnswer


@click.command("status")
@click.argument("names", metavar="[GROUP[/SLOT]]…", nargs=-1, shell_complete=complete_groups)
@click.option("--check", is_flag=True, help="Exit 3 unless every group or process named is ready.")
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

        show_status(status, options.color, named=bool(names))
    else:
        write_data(status, output)
    return int(ExitCode.NOT_RUNNING) if check and not healthy(status, names) else int(ExitCode.DONE)


@dataclass(slots=True)
class _Wanted:
    """What the arguments name of one group."""

    whole: bool = False
    slots: set[int] = field(default_factory=set)


def select(status: StatusAnswer, names: tuple[str, ...]) -> StatusAnswer:
    """Keep only the named groups and slots. Raises WsgigroupsError (exit code 4) for a name that is not there."""
    if not names:
        return status
    wanted = _read(names)
    groups = {group["name"]: group for group in status["groups"]}
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
    return found


def healthy(status: StatusAnswer, names: tuple[str, ...]) -> bool:
    """Whether all that is named is ready: a group with all of its processes, a slot with the process that holds it."""
    wanted = _read(names)
    for group in status["groups"]:
        part = wanted.get(group["name"], _Wanted(whole=True))
        ready = {process["slot"] for process in group["processes"] if process["state"] == "ready"}
        if (part.whole and group["state"] != "ready") or not part.slots <= ready:
            return False
    return True


def _read(names: tuple[str, ...]) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}
    for text in names:
        name, slash, slot = text.partition("/")
        if slash and not (slot.isascii() and slot.isdigit()):
            raise click.UsageError(f"cannot read {text!r}: write GROUP or GROUP/SLOT")
        part = wanted.setdefault(name, _Wanted())
        if slash:
            part.slots.add(int(slot))
        else:
            part.whole = True
    return wanted


def _slots(group: GroupAnswer) -> set[int]:
    """The slots that are there: those that somebody holds, and those that somebody should."""
    return {process["slot"] for process in group["processes"]} | set(range(1, group["processes_wanted"] + 1))


def _last_death(processes: list[ProcessAnswer]) -> LastErrorAnswer | None:
    """Of some slots, the latest life that ended without being asked to: what `why GROUP/SLOT` is about."""
    deaths = [death for process in processes if (death := process["last_death"])]
    return max(deaths, key=lambda death: int(death["life"]), default=None)


def _not_found(what: str, hint: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot find {what}", hint=hint, exit_code=ExitCode.NO_SUCH_GROUP)
