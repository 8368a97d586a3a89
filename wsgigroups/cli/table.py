"""The status and history tables. Adapts to the width: columns that matter least go first.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wsgigroups.cli.output import console

if TYPE_CHECKING:
    from collections.abc import Callable

_STYLE = {
    "ready": "green",
    "degraded": "yellow",
    "starting": "cyan",
    "draining": "cyan",
    "stopping": "cyan",
    "backoff": "red",
    "failed": "red",
    "stopped": "dim",
}
# header, right-aligned, least width of the terminal at which it is shown
_COLUMNS = (
    ("group", False, 0),
    ("state", False, 0),
    ("pid", True, 0),
    ("life", True, 90),
    ("up", True, 60),
    ("requests", True, 50),
    ("active", True, 70),
    ("queued", True, 100),
    ("rss", True, 80),
    ("cpu", True, 110),
    ("user", False, 95),
    ("python", False, 105),
    ("listen", False, 75),
)


def show_status(status: dict[str, Any], color: str) -> None:
    """Print the table, and below it what is wrong."""
    out = console(color)
    out.print(_status(status, out.width))


def watch_status(ask: Callable[[], dict[str, Any]], color: str, pause: Callable[[float], None]) -> None:
    """Show the table again every second until interrupted."""
    out = console(color)
    with Live(_status(ask(), out.width), console=out, auto_refresh=False) as live:
        while True:
            live.update(_status(ask(), out.width), refresh=True)
            pause(1.0)


def show_history(revisions: list[dict[str, Any]], color: str) -> None:
    """Print accepted revisions, newest first."""
    table = Table(box=None, pad_edge=False)
    for header in ("revision", "accepted", "outcome", "by"):
        table.add_column(header)
    for item in revisions:
        table.add_row(str(item["revision"]), item["accepted_at"], item["outcome"], item["by"])
    console(color).print(table)


def _status(status: dict[str, Any], width: int) -> Group:
    manager = status["manager"]
    head = Text(
        f"manager pid {manager['pid']}, up {duration(manager['uptime_s'])}, version {manager['version']}, "
        f"revision {status['revision']}",
        style="dim",
    )
    if not status["groups"]:
        return Group(head, Text("No groups. `wsgigroups apply FILE` starts some."))
    columns = [column for column in _COLUMNS if width >= column[2]]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header, right, _least in columns:
        table.add_column(header, justify="right" if right else "left", no_wrap=header != "listen", overflow="fold")
    shown = [column[0] for column in columns]
    problems = []
    for group in status["groups"]:
        _rows(table, group, shown)
        if group["last_error"]:
            problems.append(_problem(group))
    return Group(head, table, *problems)


def _rows(table: Table, group: dict[str, Any], shown: list[str]) -> None:
    ready = f"{group['processes_ready']}/{group['processes_wanted']}"
    values: dict[str, str | Text] = {
        "group": Text(group["name"], style="bold"),
        "state": Text(f"{group['state']} {ready}", style=_STYLE.get(group["state"], "")),
        "requests": str(group["requests_total"]),
        "active": str(group["requests_active"]),
        "queued": str(group["requests_queued"]),
        "user": group["user"] or "",
        "python": group["python"],
        "listen": " ".join(group["listen"]),
    }
    table.add_row(*[values.get(name, "") for name in shown])
    for process in group["processes"]:
        retry = process["retry_in_s"]
        state = process["state"] + (f" {retry:.0f}s" if retry is not None else "")
        row: dict[str, str | Text] = {
            "group": f"  {group['name']}/{process['slot']}",
            "state": Text(f"  {state}", style=_STYLE.get(process["state"], "")),
            "pid": str(process["pid"] or "-"),
            "life": str(process["life"]),
            "up": duration(process["uptime_s"]) if process["pid"] else "-",
            "requests": str(process["requests_total"]),
            "active": str(process["requests_active"]),
            "queued": str(process["requests_queued"]),
            "rss": f"{process['rss_bytes'] / 1048576:.1f}M" if process["rss_bytes"] else "-",
            "cpu": f"{process['cpu_s']:.1f}s",
        }
        table.add_row(*[row.get(name, "") for name in shown])


def _problem(group: dict[str, Any]) -> Text:
    error = group["last_error"]
    text = Text(f"\n{group['name']}/{error['slot']} life {error['life']}: ", style="red")
    text.append(error["message"], style="")
    if error["traceback"] and group["state"] != "ready":
        text.append("\n" + error["traceback"].rstrip(), style="dim")
    text.append(f"\nlog: {group['log']}", style="dim")
    return text


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
