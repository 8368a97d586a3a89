"""How a plan reads: a sign and a sentence per group, what it costs, a line per reason, a summary.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.output import plain_console
from wsgigroups.config.units import approximate_bytes, format_bytes, format_duration
from wsgigroups.plan.routing import ROUTES
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.client.answers import PlanAnswer, ReasonAnswer, StepAnswer

_VERB = {
    "add": "will be started",
    "replace": "will be replaced, successor first",
    "rebind": "will listen elsewhere; its processes are replaced, successor first",
    "scale": "will be scaled, no running process is replaced",
    "start": "is not ready: what is missing is waited for, or started again",
    "live": "will be changed while it runs, no process is touched",
    "adopt": "runs and is unknown; it will be taken over, no process is replaced",
    "remove": "will be drained and removed",
}
_REBOUND_IN_PLACE = "will have its listeners changed while it runs, no process is touched"
_STYLE = {"+": "green", "-": "red", "±": "yellow", "~": "cyan"}
_LEAST_IS_ZERO = ("limit-core",)
MOST_REASONS = 100  # of one step: a gateway has some for each site


def show_plan(plan: PlanAnswer, color: str) -> None:
    """Print the plan to stdout, its notices to stderr."""
    out = plain_console(color)
    for notice in plan["notices"]:
        click.echo(f"note: {clean(notice)}", err=True)
    if plan["empty"]:
        out.print("No changes.")
        return
    for step in plan["steps"]:
        _show_step(out, step)
    out.print()
    out.print(summary(plan))


def summary(plan: PlanAnswer) -> str:
    """The last line: how many groups, how many processes, what it takes."""
    steps = plan["steps"]
    touched = [step for step in steps if step["kind"] in ("replace", "rebind") and step["sign"] == "±"]
    in_place = [step for step in steps if step["kind"] in ("live", "scale", "rebind") and step not in touched]
    not_ready = [step["group"] for step in steps if step["kind"] == "start"]
    counts = [
        (plan["counts"]["add"], "to add"),
        (len(touched), "to replace"),
        (len(in_place), "to change in place"),
        (plan["counts"].get("adopt", 0), "to take over"),
        (plan["counts"]["remove"], "to remove"),
    ]
    parts = [f"{number} {what}" for number, what in counts if number]
    if not_ready:
        names = ", ".join(not_ready)
        parts.append(f"{_counted(len(not_ready), 'group')} not ready ({names})")
    all_costs: list[Mapping[str, Any]] = [step["cost"] for step in steps]
    cost = {
        name: sum(costs.get(name) or 0 for costs in all_costs)
        for name in ("processes_started", "processes_replaced", "processes_stopped", "duration_s", "surge_bytes")
    }
    work = _work(cost)
    return f"Plan: {', '.join(parts)}" + (f"; {work}." if work else ".")


def _work(cost: Mapping[str, Any]) -> str:
    """What it takes, in one clause; "" for nothing."""
    counts = (("processes_replaced", "replace"), ("processes_started", "start"), ("processes_stopped", "stop"))
    parts: list[str] = []
    for name, what in counts:
        if cost[name]:
            parts.append(f"{cost[name] if parts else _process(cost[name])} to {what}")
    if cost.get("duration_s"):
        parts.append(f"about {cost['duration_s']:.2g} s of starting")
    if cost.get("surge_bytes"):
        parts.append(f"up to {approximate_bytes(cost['surge_bytes'])} more memory meanwhile")
    return ", ".join(parts)


def _process(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _counted(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"


def _show_step(out: Any, step: StepAnswer) -> None:
    sign, kind = step["sign"], step["kind"]
    verb = _REBOUND_IN_PLACE if kind == "rebind" and sign == "~" else _VERB[kind]
    work = _work(step["cost"])
    out.print(f"{sign} {step['group']} {verb}" + (f": {work}" if work else ""), style=_STYLE[sign])
    for reason in step["reasons"][:MOST_REASONS]:
        name, text = _new(reason) if kind == "add" else _reason(reason)
        routed = f"{_route_sign(reason)} " if reason["option"].startswith(ROUTES) else ""
        out.print(f"    {routed}{clean(f'{name}: {text}')}")
    more = len(step["reasons"]) - MOST_REASONS
    if more > 0:
        out.print(f"    and {more} more; -o json has them all")


def _route_sign(reason: ReasonAnswer) -> str:
    """What becomes of a route: it is new, another one, or gone."""
    return "+" if reason["old"] is None else "-" if reason["new"] is None else "~"


def _new(reason: ReasonAnswer) -> tuple[str, str]:
    """Nothing of a new group changes: what counts is what its names and defaults came to."""
    return reason["option"], str(reason["new"])


def _reason(reason: ReasonAnswer) -> tuple[str, str]:
    """The name of what differs, and the rest of the line."""
    option, old, new = reason["option"], reason["old"], reason["new"]
    if reason["effect"] == "start":
        return "processes", f"{old} of {new} are ready: {reason['why']}"
    if option == "code":
        return option, _new_code(reason)
    if option.startswith("environment."):
        text = "set" if old is None else "unset" if new is None else "changed"  # values are secrets
    elif new is None and (option == "processes" or option.startswith(ROUTES)):
        text = f"{old} → none"
    else:
        unit = reason.get("unit")
        values = (new,) if old is None else (old, new)
        text = " → ".join("none" if value is None else _readable(option, value, unit) for value in values)
    why = f": {reason['why']}" if reason["why"] else ""
    return option, f"{text}   ({reason['effect']}{why})"


def _new_code(reason: ReasonAnswer) -> str:
    """The files that differ; where they are not known any more, which parts of the code."""
    named = ", ".join(reason["files"])
    if reason["files_more"]:
        named += f" and {_counted(reason['files_more'], 'more file')}"
    return f"{named or reason['why']}   (replace: changed since the processes started)"


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
