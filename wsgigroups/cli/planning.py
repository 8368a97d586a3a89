"""How a plan reads: a sign and a sentence per group, a line per reason, the cost, a summary.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import Any

import click

from wsgigroups.cli.output import plain_console
from wsgigroups.config.units import approximate_bytes, format_bytes
from wsgigroups.runtime.text import clean

_VERB = {
    "add": "will be started",
    "replace": "will be replaced, successor first",
    "rebind": "will have other listeners; its processes are replaced, successor first",
    "scale": "will be scaled, no running process is replaced",
    "start": "is not ready: what is missing is waited for, or started again",
    "live": "will be changed while it runs, no process is touched",
    "adopt": "runs and is unknown; it will be taken over, no process is replaced",
    "remove": "will be drained and removed",
}
_STYLE = {"+": "green", "-": "red", "±": "yellow", "~": "cyan"}
_BYTE_OPTIONS = ("size", "limit", "memory-high", "memory-max")


def show_plan(plan: dict[str, Any], color: str) -> None:
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


def _verb(step: dict[str, Any]) -> str:
    if step["kind"] == "rebind" and not step["cost"]["processes_replaced"]:
        return "will have its listeners changed, no process is touched"
    return _VERB[step["kind"]]


def summary(plan: dict[str, Any]) -> str:
    """The last line: how many groups, how many processes, what it takes."""
    counts = plan["counts"]
    parts = [
        f"{counts['add']} to add",
        f"{counts['replace'] + counts['rebind']} to replace",
        f"{counts['live'] + counts['scale']} live",
        *([f"{counts['adopt']} to take over"] if counts.get("adopt") else []),
        f"{counts['remove']} to remove",
    ]
    if counts.get("start"):
        names = ", ".join(step["group"] for step in plan["steps"] if step["kind"] == "start")
        parts.append(f"{_groups(counts['start'])} not ready ({names})")
    costs = [step["cost"] for step in plan["steps"]]
    replaced = sum(cost["processes_replaced"] for cost in costs)
    started = sum(cost["processes_started"] for cost in costs)
    stopped = sum(cost["processes_stopped"] for cost in costs)
    work = [
        f"{n} processes {what}" for n, what in ((started, "started"), (replaced, "replaced"), (stopped, "stopped")) if n
    ]
    duration_s = sum(cost["duration_s"] or 0.0 for cost in costs)
    surge_bytes = sum(cost["surge_bytes"] or 0 for cost in costs)
    if duration_s:
        work.append(f"about {duration_s:.2g} s of starting")
    if surge_bytes:
        work.append(f"up to {approximate_bytes(surge_bytes)} more memory meanwhile")
    return f"Plan: {', '.join(parts)}" + (f"; {', '.join(work)}." if work else ".")


def _groups(number: int) -> str:
    return "1 group" if number == 1 else f"{number} groups"


def _show_step(out: Any, step: dict[str, Any]) -> None:
    sign = step["sign"]
    out.print(f"{sign} {step['group']} {_verb(step)}", style=_STYLE[sign])
    for reason in step["reasons"]:
        # nothing of a new group changes: what counts is what its names and defaults came to
        text = f"{reason['option']}: {reason['new']}" if step["kind"] == "add" else _reason(reason)
        out.print(f"    {clean(text)}")


def _reason(reason: dict[str, Any]) -> str:
    if reason["effect"] == "start":
        return f"processes: {reason['old']} of {reason['new']} are ready: {reason['why']}"
    option, old, new = reason["option"], reason["old"], reason["new"]
    if option == "code":
        return _new_code(reason)
    if option.startswith("environment."):
        old, new = ("(hidden)" if value is not None else None for value in (old, new))
        what = "set" if old is None else "unset" if new is None else "changed"
        text = f"{option}: {what}"
    elif old is None or new is None:
        text = f"{option}: {old or new}"
    else:
        text = f"{option}: {_readable(option, old)} -> {_readable(option, new)}"
    why = f": {reason['why']}" if reason["why"] else ""
    return f"{text}   ({reason['effect']}{why})"


def _new_code(reason: dict[str, Any]) -> str:
    """The files that differ; where they are not known any more, which parts of the code."""
    named = ", ".join(reason["files"])
    if reason["files_more"]:
        named += f" and {reason['files_more']} more files"
    return f"code: {named or reason['why']}   (replace: changed since the processes started)"


def _readable(option: str, value: str) -> str:
    if value.isdigit() and int(value) >= 1024 and option.endswith(_BYTE_OPTIONS) and option != "cpu-time-limit":
        return format_bytes(int(value))
    if option == "cpu-quota" and value.isdigit():
        return f"{value}%"
    return value
