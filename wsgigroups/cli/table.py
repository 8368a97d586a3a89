"""The status and history tables. Adapts to the width: columns that matter least go first.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wsgigroups.cli.output import console, indented
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.client.answers import GroupAnswer, LastErrorAnswer, RevisionAnswer, StatusAnswer

STYLE = {
    "ready": "green",
    "degraded": "yellow",
    "starting": "cyan",
    "draining": "cyan",
    "stopping": "cyan",
    "backoff": "red",
    "failed": "red",
    "stopped": "dim",
}
# In the order in which they stand; the number says which goes first when the terminal is narrow: the highest.
_COLUMNS = {
    "group": 0,
    "state": 1,
    "pid": 2,
    "life": 8,
    "up": 4,
    "requests": 3,
    "active": 7,
    "queued": 10,
    "rss": 6,
    "cpu": 12,
    "user": 9,
    "python": 11,
    "listen": 5,
}
_LEFT = ("group", "state", "user", "python", "listen")
Cell = str | Text
Row = dict[str, Cell]


def show_status(status: StatusAnswer, color: str, *, named: bool = False) -> None:
    """Print the table, and below it what is wrong; of groups that were named also their confinement."""
    out = console(color)
    out.print(_status(status, out.width))
    for group in status["groups"] if named else ():
        if group["confinement"]:
            out.print(_confinement(group))


def watch_status(ask: Callable[[], StatusAnswer], color: str, pause: Callable[[float], None]) -> None:
    """Show the table again every second until interrupted."""
    out = console(color)
    with Live(_status(ask(), out.width), console=out, auto_refresh=False) as live:
        while True:
            live.update(_status(ask(), out.width), refresh=True)
            pause(1.0)


def show_history(revisions: list[RevisionAnswer], color: str) -> None:
    """Print accepted revisions, newest first."""
    table = Table(box=None, pad_edge=False)
    for header in ("revision", "accepted", "outcome", "by"):
        table.add_column(header)
    for item in revisions:
        number = f"{item['revision']} (runs)" if item["running"] else str(item["revision"])
        note = clean(item["error"] or item["by"])
        table.add_row(number, item["accepted_at"] or "-", item["outcome"], note)
    console(color).print(table)


def _status(status: StatusAnswer, width: int) -> Group:
    manager = status["manager"]
    head = Text(
        f"manager pid {manager['pid']}, up {duration(manager['uptime_s'])}, version {manager['version']}, "
        f"revision {status['revision']}, cleanup by {manager['cleanup']}",
        style="dim",
    )
    if not status["groups"]:
        return Group(head, Text("No groups. `wsgigroups apply FILE` starts some."))
    rows: list[Row] = []
    problems = []
    for group in status["groups"]:
        rows += _rows(group)
        if group.get("unknown"):
            problems.append(_unknown(group["name"]))
        if unresolved := group.get("unresolved"):
            problems.append(_unresolved(group["name"], unresolved))
        problems += [_unreachable(group["name"], *item) for item in group.get("unreachable", {}).items()]
        problems += [_missing(group["name"], *item) for item in group["not_in_force"].items()]
        if unanswered := _unanswered(group):
            problems.append(Text(f"\n{clean(group['name'])}: of its requests {unanswered}", style="yellow"))
        if error := group["last_error"]:
            problems.append(_problem(group, error))
    shown = _fitting(rows, width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        table.add_column(name, justify="left" if name in _LEFT else "right", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*[_cell(row.get(name, "")) for name in shown])
    return Group(head, table, *problems)


def _cell(cell: Cell) -> Cell:
    return clean(cell) if isinstance(cell, str) else cell


def _fitting(rows: list[Row], width: int) -> list[str]:
    """The columns that fit side by side, in their order; group and state always stay."""
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in _COLUMNS}
    chosen = sorted(_COLUMNS, key=lambda name: _COLUMNS[name])
    while len(chosen) > 2 and sum(widths[name] + 2 for name in chosen) - 2 > width:
        chosen.pop()
    return [name for name in _COLUMNS if name in chosen]


def _rows(group: GroupAnswer) -> list[Row]:
    ready = f"{group['processes_ready']}/{group['processes_wanted']}"
    first: Row = {
        "group": Text(group["name"], style="bold"),
        "state": Text(f"{group['state']} {ready}", style=STYLE.get(group["state"], "")),
        "requests": str(group["requests_total"]),
        "active": str(group["requests_active"]),
        "queued": str(group["requests_queued"]),
        "user": group["user"] or "",
        "python": group["python"],
        "listen": " ".join(group["listen"]),
    }
    rows = [first]
    for process in group["processes"]:
        retry = process["retry_in_s"]
        state = process["state"] + (f" {retry:.0f}s" if retry is not None else "")
        row: Row = {
            "group": f"  {group['name']}/{process['slot']}",
            "state": Text(f"  {state}", style=STYLE.get(process["state"], "")),
            "pid": str(process["pid"] or "-"),
            "life": str(process["life"]),
            "up": duration(process["uptime_s"]) if process["pid"] else "-",
            "requests": str(process["requests_total"]),
            "active": str(process["requests_active"]),
            "queued": str(process["requests_queued"]),
            "rss": f"{process['rss_bytes'] / 1048576:.1f}M" if process["rss_bytes"] else "-",
            "cpu": f"{process['cpu_s']:.1f}s",
        }
        rows.append(row)
    return rows


def _unanswered(group: GroupAnswer) -> str:
    """Which of its requests the application was not asked, or did not end by itself; "" if none."""
    found = (
        (group.get("queue_timeouts", 0), "waited for longer than queue-timeout (504)"),
        (group.get("refused", 0), "found no place within connect-timeout (503)"),
        (group.get("interrupted", 0), "interrupted at request-timeout"),
    )
    return ", ".join(f"{count} {what}" for count, what in found if count)


def _missing(group: str, option: str, why: str) -> Text:
    text = Text(f"\n{group}: {option} is not in force: ", style="yellow")
    return text.append(clean(why), style="")


def _unreachable(group: str, address: str, why: str) -> Text:
    text = Text(f"\n{clean(group)}: nobody can connect to {clean(address)}: ", style="red")
    return text.append(clean(why), style="")


def _unknown(group: str) -> Text:
    text = Text(f"\n{clean(group)}: unknown, ", style="yellow")
    return text.append(
        "found running, and nothing says what it should be. It is left alone: `wsgigroups apply FILE` with a file that "
        f"has it takes it over, `wsgigroups stop {clean(group)}` ends it.",
        style="",
    )


def _unresolved(group: str, why: str) -> Text:
    text = Text(f"\n{clean(group)}: not as the configuration has it: ", style="red")
    return text.append(f"{clean(why)}; it is tried again", style="")


def _problem(group: GroupAnswer, error: LastErrorAnswer) -> Text:
    text = Text(f"\n{group['name']}/{error['slot']} life {error['life']}: ", style="red")
    text.append(clean(error["message"]), style="")
    if error["traceback"] and group["state"] != "ready":
        text.append("\n" + "\n".join(indented(error["traceback"])), style="dim")
    text.append(f"\nlog: {group['log']}", style="dim")
    return text


_CONFINED = {"enforced": "green", "partly": "yellow", "missing": "red", "unknown": "dim"}


def _confinement(group: GroupAnswer) -> Group:
    """Each option that the group asks for, and what became of it in its processes, those alike together."""
    asked = dict(group["confinement"])
    lines = [Text(f"\n{group['name']}: confinement {asked.pop('confinement')}")]
    for option, value in asked.items():
        found: dict[tuple[str, str], list[str]] = {}
        for process in group["processes"]:
            outcome = process["confinement"].get(option)
            if outcome:
                name = f"{group['name']}/{process['slot']}"
                found.setdefault((outcome["state"], outcome["reason"]), []).append(name)
        line = Text(f"  {option} {value}")
        for (state, reason), names in found.items():
            line.append(f"\n    {state}", style=_CONFINED[state])
            line.append((f" in {', '.join(names)}" if len(found) > 1 else "") + (f": {reason}" if reason else ""))
        lines.append(line)
    return Group(*lines)


def duration(seconds: float) -> str:
    """Two units at most: 4.2s, 3m12s, 5h07m, 12d04h."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24:02d}h"
