"""How a plan reads: a sign and a sentence per group, a line per reason, a summary, and what to type next.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.amounts import counted
from wsgigroups.cli.output import plain_console, say
from wsgigroups.config.units import format_bytes, format_duration
from wsgigroups.plan.routing import ROUTES
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from wsgigroups.client.answers import PlanAnswer, ReasonAnswer, StepAnswer

_DOES = {
    "add": "new",
    "replace": "rolling replacement, no downtime",
    "rebind": "listens elsewhere; rolling replacement",
    "scale": "another number of processes, none is replaced",
    "start": "not ready: it is waited for, or started again",
    "live": "changed while it runs, no process is replaced",
    "adopt": "found running and taken over, no process is replaced",
    "remove": "no longer in the configuration",
}
_REBOUND_IN_PLACE = "its listeners are set anew, no process is replaced"
_FEWER = "replaced in place, fewer processes serve meanwhile"
_AT_ITS_START = "stopped: it holds from its next start on"
_EFFECT = {"replace": "new processes needed", "rebind": "another listener", "live": "no new process"}
_ADDED = "new in this version, with their defaults (-o json has them all)"
_STYLE = {"+": "green", "-": "red", "±": "yellow", "~": "cyan"}
_LEAST_IS_ZERO = ("limit-core",)
_WIDEST = 32  # of a column; what is longer than that pushes the rest of its own line only
MOST_REASONS = 100  # of one step: a gateway has some for each site


def show_plan(plan: PlanAnswer, color: str, *, heading: str = "", next_command: str = "") -> None:
    """Print the plan to stdout; its notices, and the command that carries it out, to stderr."""
    out = plain_console(color)
    for notice in plan["notices"]:
        click.echo(f"note: {clean(notice)}", err=True)
    if plan["empty"]:
        out.print("No changes.")
        return
    if heading:
        out.print(clean(heading))
    several = len(plan["steps"]) > 1
    for step in plan["steps"]:
        _show_step(out, step, with_cost=several)
    out.print()
    out.print(summary(plan))
    if next_command:
        out.file.flush()
        say(f"Run `{next_command}` to do this.")


def source_of(plan: PlanAnswer, files: Sequence[Path], *, only: bool = False) -> str:
    """What is compared with what: `revision 12 → groups.toml`. only: the plan knows nothing of what else runs."""
    depends = plan["precondition"]
    there = bool(depends and (depends["observed"] or (only and depends["revision"])))
    runs = f"revision {depends['revision']}" if depends and there else "nothing runs"
    return f"{runs} → {', '.join(map(str, files)) or 'the same configuration'}"


def unseen_code(plan: PlanAnswer) -> str:
    """What to do where there is nothing to do, and yet there is new code; "" where there are no groups."""
    depends = plan["precondition"]
    names = [name for name in depends["desired"] if not name.startswith("@")] if depends else []
    if not names:
        return ""
    return f"(New code that is not seen here? wsgigroups deploy {names[0] if len(names) == 1 else 'GROUP'})"


def summary(plan: PlanAnswer) -> str:
    """The last lines: how many groups, how many processes, what it takes."""
    steps = plan["steps"]
    touched = [step for step in steps if step["kind"] in ("replace", "rebind") and step["sign"] == "±"]
    in_place = [step for step in steps if step["kind"] in ("live", "scale", "rebind") and step not in touched]
    not_ready = [clean(step["group"]) for step in steps if step["kind"] == "start"]
    counts = [
        (plan["counts"]["add"], "to add"),
        (len(touched), "to replace"),
        (len(in_place), "to change in place"),
        (plan["counts"].get("adopt", 0), "to take over"),
        (plan["counts"]["remove"], "to remove"),
        (len(not_ready), f"not ready ({', '.join(not_ready)})"),
    ]
    present = [(number, what) for number, what in counts if number]
    parts = [f"{number if at else counted(number, 'group')} {what}" for at, (number, what) in enumerate(present)]
    all_costs: list[Mapping[str, Any]] = [step["cost"] for step in steps]
    cost = {
        name: sum(costs.get(name) or 0 for costs in all_costs)
        for name in ("processes_started", "processes_replaced", "processes_stopped", "duration_s", "surge_bytes")
    }
    work = ", ".join(_work(cost)) or "no process is replaced"
    takes = _takes(cost)
    return f"{', '.join(parts)}: {work}." + (f" {takes[:1].upper()}{takes[1:]}." if takes else "")


def _work(cost: Mapping[str, Any]) -> Iterator[str]:
    """What happens to processes, the first part with the noun."""
    counts = (("processes_replaced", "replaced"), ("processes_started", "started"), ("processes_stopped", "stopped"))
    present = [(cost[name], what) for name, what in counts if cost[name]]
    for at, (number, what) in enumerate(present):
        yield f"{number if at else counted(number, 'process', 'processes')} {what}"


def _takes(cost: Mapping[str, Any]) -> str:
    """How long it is likely to take, and how much memory; "" where nothing runs to learn that from."""
    parts = []
    if cost.get("duration_s"):
        parts.append(f"about {_about(cost['duration_s'])}")
    if cost.get("surge_bytes"):
        parts.append(f"+{_room(cost['surge_bytes'])} meanwhile")
    return ", ".join(parts)


def _about(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


def _room(size_bytes: int) -> str:
    """An estimate, with no more digits than one has."""
    megabytes = max(1, round(size_bytes / 2**20))
    return f"{megabytes} MiB" if megabytes < 10 * 1024 else f"{round(megabytes / 1024)} GiB"


def _does(step: StepAnswer) -> str:
    """What happens to a group, in one clause."""
    kind, cost = step["kind"], step["cost"]
    if kind == "rebind" and step["sign"] == "~":
        return _REBOUND_IN_PLACE
    if kind == "remove" and cost["processes_stopped"]:
        number = cost["processes_stopped"]
        its = "its process is" if number == 1 else f"its {number} processes are"
        return f"{_removed(step)}; {its} drained"
    if kind in ("replace", "rebind"):
        if not cost["processes_replaced"]:
            return _AT_ITS_START
        if kind == "replace" and not cost["surge_processes"]:
            return _FEWER
    return _removed(step) if kind == "remove" else _DOES[kind]


def _removed(step: StepAnswer) -> str:
    """Why a group goes; where it is known which file it came from, with that."""
    reasons = [reason["why"] for reason in step["reasons"] if reason["why"]]
    return reasons[0] if step.get("files") and reasons else _DOES["remove"]


def _show_step(out: Any, step: StepAnswer, *, with_cost: bool) -> None:
    sign, kind = step["sign"], step["kind"]
    work = ", ".join(_work(step["cost"])) if with_cost and kind != "remove" else ""
    out.print(f"{sign} {clean(step['group'])}   {_does(step)}" + (f": {work}" if work else ""), style=_STYLE[sign])
    added, reasons = ([], step["reasons"]) if kind == "add" else _without_added(step["reasons"])
    if kind != "remove":
        rows = [_new(r) if kind == "add" else _reason(r) for r in reasons[:MOST_REASONS]]
        for line in _aligned([*rows, *_added(added)]):
            out.print(f"    {clean(line)}")
    more = len(reasons) - MOST_REASONS
    if more > 0:
        out.print(f"    and {more} more; -o json has them all")


def _without_added(reasons: Sequence[ReasonAnswer]) -> tuple[list[ReasonAnswer], list[ReasonAnswer]]:
    """Return the options that the version before did not have and that have their default, and all others.

    Nobody has asked for those: after an upgrade there may be dozens.
    """
    added = [r for r in reasons if r["old"] is None and r["new"] is not None and r["new"] == _default(r["option"])]
    return added, [reason for reason in reasons if reason not in added]


def _default(option: str) -> str | None:
    """Return the default as plans compare it; None for what is no option of a group."""
    from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS
    from wsgigroups.targets.option_texts import text_of_value

    found = ROLLOUT_OPTIONS.get(option.removeprefix("rollout.")) if "." in option else OPTIONS.get(option)
    return text_of_value(found.default) if found else None


def _added(added: Sequence[ReasonAnswer]) -> Iterator[tuple[str, str, str]]:
    """Yield a row for those that take new processes, and one for the rest."""
    for effect in ("replace", "live"):
        names = [r["option"] for r in added if (r["effect"] == "replace") == (effect == "replace")]
        if names:
            options = names[0] if len(names) == 1 else f"{names[0]} and {counted(len(names) - 1, 'more option')}"
            yield options, "new in this version, with its default" if len(names) == 1 else _ADDED, _EFFECT[effect]


def _aligned(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Lines of three columns: the name, what becomes of it, what that takes."""
    widths = [max((len(row[at]) for row in rows if len(row[at]) <= _WIDEST), default=0) for at in (0, 1)]
    for name, text, needs in rows:
        yield f"{name:<{widths[0]}}   {text:<{widths[1]}}   {needs}".rstrip()


def _route_sign(reason: ReasonAnswer) -> str:
    """What becomes of a route: it is new, another one, or gone."""
    return "+ " if reason["old"] is None else "- " if reason["new"] is None else "~ "


def _name(reason: ReasonAnswer) -> str:
    option = reason["option"]
    return f"{_route_sign(reason)}{option}" if option.startswith(ROUTES) else option


def _new(reason: ReasonAnswer) -> tuple[str, str, str]:
    """Nothing of a new group changes: what counts is what its names and defaults came to."""
    return _name(reason), str(reason["new"]), ""


def _reason(reason: ReasonAnswer) -> tuple[str, str, str]:
    """The name of what differs, the old and the new value, and what that takes."""
    option, old, new, why = reason["option"], reason["old"], reason["new"], reason["why"]
    if reason["effect"] == "start":
        return "processes", f"{old} of {new} are ready", why
    if option == "code":
        return option, _new_code(reason), f"{_EFFECT['replace']}: changed since the processes started"
    if option.startswith("environment."):
        text = "set" if old is None else "unset" if new is None else "changed"  # values are secrets
    elif new is None and (option == "processes" or option.startswith(ROUTES)):
        text = f"{old} → none"
    else:
        unit = reason.get("unit")
        values = (new,) if old is None else (old, new)
        text = " → ".join("none" if value is None else _readable(option, value, unit) for value in values)
    needs = _EFFECT.get(reason["effect"], "")
    return _name(reason), text, f"{needs}: {why}" if needs and why else needs or why


def _new_code(reason: ReasonAnswer) -> str:
    """The files that differ; where they are not known any more, which parts of the code."""
    named = ", ".join(reason["files"])
    if reason["files_more"]:
        named += f" and {counted(reason['files_more'], 'more file')}"
    return named or reason["why"]


def _readable(option: str, value: str, unit: str | None) -> str:
    """A value with its unit; 0 of a limit is what it means."""
    try:
        number = float(value) if unit else 0.0
    except ValueError:
        return value  # such as none
    if unit and not number and option not in _LEAST_IS_ZERO:
        return "off" if unit == "s" else "none"
    if unit == "s":
        return format_duration(number)
    if unit == "bytes":
        return format_bytes(int(number))
    return f"{value}{unit}" if unit == "%" else value
