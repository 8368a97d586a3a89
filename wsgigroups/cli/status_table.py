"""The status for people: a row for each group, what is wrong with it below, the manager last.

Which columns there are depends on the width of the terminal alone, and how wide each is too: what is longer goes on in
the next line, so that no name and no address is cut. Runs in the user's process; given plain data only.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from wsgigroups.cli.amounts import NOTHING, ago, duration, latency, memory, rate
from wsgigroups.cli.output import console
from wsgigroups.cli.signs import STYLE, sign, writable
from wsgigroups.cli.site_table import site_parts
from wsgigroups.cli.troubles import troubles
from wsgigroups.gateway.shown_addresses import addresses
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.client.answers import GatewayAnswer, GroupAnswer, MoldAnswer, ProcessAnswer, StatusAnswer

UNBOUNDED = 1000  # columns, of what is no terminal: a line is as long as it has to be, for those who search in it
MOST_ADDRESSES = 3  # of a group; `status GROUP` and `-o wide` have them all
_FULL = ("group", "ready", "state", "restarts", "busy", "req/s", "p99", "mem", "address")
_WIDE = (*_FULL[:-1], "pid", "life", "up", "cpu", "user", "python", "from", "address")
# the least width of the terminal, and what there is room for
_LAYOUTS = (
    (100, _FULL),
    (80, ("group", "ready", "state", "busy", "req/s", "mem", "address")),
    (60, ("group", "ready", "state", "address")),
    (0, ("group", "ready", "state")),
)
_WIDTHS = {"ready": 5, "state": 8, "restarts": 8, "busy": 6, "req/s": 5, "p99": 6, "mem": 5}
_LEFT = ("group", "ready", "state", "user", "python", "from", "address")
_NAME = 14  # characters, the sign included; a wide terminal has more
_MOST_NAME = 30
_GAP, _INDENT = "  ", "    "
Row = dict[str, Text]


@dataclass(frozen=True, slots=True)
class Shape:
    """How much is shown. width: of the terminal, in columns."""

    width: int
    wide: bool = False  # with everything that is known of processes, however long a line becomes
    processes: bool = False
    sites: bool = True

    @property
    def columns(self) -> Sequence[str]:
        """The columns there are."""
        return _WIDE if self.wide else next(columns for least, columns in _LAYOUTS if self.width >= least)

    @property
    def unbounded(self) -> bool:
        """Whether a line is as long as it has to be."""
        return self.wide or self.width >= UNBOUNDED

    @property
    def name(self) -> int:
        """How many columns a terminal has for a group's name and the sign before it."""
        return min(_MOST_NAME, _NAME + max(0, self.width - 100) // 2)

    def widths(self, rows: Sequence[Row]) -> Mapping[str, int]:
        """How wide each is: of a terminal whatever is in it, else as wide as what is in it."""
        if self.unbounded:
            return {name: max(len(name), *(row[name].cell_len for row in rows)) for name in self.columns}
        found = {"group": self.name, **{column: _WIDTHS.get(column, 0) for column in self.columns[1:]}}
        last = "address" if "address" in found else "group"  # has what the others leave
        found[last] = max(8, found[last] + self.width - sum(found.values()) - len(_GAP) * (len(found) - 1))
        return found


def status_console(color: str) -> Console:
    """Return a console; one that writes to no terminal has lines without an end."""
    out = console(color)
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        out.width = UNBOUNDED
    return out


def show_status(
    status: StatusAnswer, color: str, *, named: bool = False, wide: bool = False, sites: bool = True
) -> None:
    """Print groups, what is wrong with them, sites, and the manager last. named: with processes."""
    out = status_console(color)
    shape = Shape(out.width, wide=wide, processes=named or wide, sites=sites)
    if wide:
        out.width = UNBOUNDED
    out.print(status_view(status, shape, out))


def status_view(status: StatusAnswer, shape: Shape, out: Console) -> Group:
    """What `show_status` prints."""
    gateway = status.get("gateway")  # a manager of an earlier version says nothing of sites
    last = _text(_last_line(status, time.time(), wide=shape.wide), out)
    if not status["groups"]:
        return Group(Text("No groups. `wsgigroups apply FILE` starts some."), last)
    blocks: list[tuple[list[Row], list[Text]]] = []
    for group in sorted(status["groups"], key=lambda item: item["name"] == GATEWAY):
        rows = [row_of_group(group, gateway, shape)]
        if shape.processes:
            rows += [_of_process(group, process, shape) for process in group["processes"]]
        blocks.append((rows, list(troubles(group))))
    heads: Row = {name: Text(("  " if name == "group" else "") + name.upper(), style="bold") for name in shape.columns}
    whole = [{**dict.fromkeys(shape.columns, Text()), **row} for rows, _below in blocks for row in rows]
    widths = shape.widths([heads, *whole])
    parts: list[RenderableType] = [*_lines(heads, widths, out)]
    for rows, below in blocks:
        for _row in rows:
            parts += _lines(whole.pop(0), widths, out)
        parts += [line for text in below for line in _below(text, shape, out)]
    if gateway and shape.sites:
        parts += site_parts(gateway)
    return Group(*parts, last)


def _lines(row: Row, widths: Mapping[str, int], out: Console) -> list[Text]:
    """The lines of a row: what has no room in a column goes on below."""
    cells = {name: _folded(_text(row[name], out), width, out, named=name == "group") for name, width in widths.items()}
    lines = []
    for place in range(max(map(len, cells.values()))):
        line = Text(no_wrap=True, overflow="ignore")
        for name in widths:
            piece = cells[name][place] if place < len(cells[name]) else Text()
            space = " " * max(0, widths[name] - piece.cell_len)
            line.append(_GAP if line else "")
            line.append(piece if name in _LEFT else Text(space).append(piece))
            line.append(space if name in _LEFT else "")
        line.rstrip()
        lines.append(line)
    return lines


def _below(text: Text, shape: Shape, out: Console) -> list[Text]:
    """A sentence below a row, in as many lines as it takes."""
    text = _text(text, out)
    room = UNBOUNDED if shape.unbounded else max(20, shape.width - len(_INDENT))
    lines = [text] if text.cell_len <= room else text.wrap(out, room, overflow="fold")
    for line in lines:
        line.rstrip()
    return [Text(_INDENT, no_wrap=True, overflow="ignore").append(line) for line in lines]


def _folded(cell: Text, width: int, out: Console, *, named: bool) -> list[Text]:
    """A cell in lines of so many columns; a name that is longer stays behind its sign."""
    if cell.cell_len <= width:
        return [cell]
    indent = cell.plain.index(" ", len(cell.plain) - len(cell.plain.lstrip())) + 1 if named else 0
    head, rest = cell[:indent], cell[indent:]
    pieces = rest.wrap(out, max(4, width - indent), overflow="fold")
    return [Text().append(head if not place else " " * indent).append(piece) for place, piece in enumerate(pieces)]


def _text(text: Text, out: Console) -> Text:
    """The text as this terminal can show it; signs are replaced by as many characters where it has none of them."""
    plain = writable(text.plain, out.encoding)
    if plain == text.plain:
        return text
    return Text(plain, style=text.style)


def row_of_group(group: GroupAnswer, gateway: GatewayAnswer | None, shape: Shape) -> Row:
    """The cells of a group, by the names of columns."""
    state = group["state"]
    style = STYLE.get(state, "")
    ready = group["processes_ready"]
    where = [clean(address) for address in addresses(group, gateway)]
    if not shape.processes and len(where) > MOST_ADDRESSES:
        where[MOST_ADDRESSES - 1 :] = [f"and {len(where) - MOST_ADDRESSES + 1} more"]
    return {
        "group": Text(f"{sign(state)} ", style=style).append(clean(group["name"]), style="bold"),
        "ready": Text(f"{ready}/{group['processes_wanted']}"),
        "state": Text(state, style=style),
        "restarts": Text(str(group["restarts"])),
        "busy": Text(f"{group['requests_active']}/{ready * group['threads']}" if ready else "0"),
        "req/s": Text(rate(group.get("requests_per_s")) if ready else NOTHING),
        "p99": Text(latency(group.get("application_p99_s")) if ready else NOTHING),
        "mem": Text(memory(held_by(group))),
        "pid": Text(),
        "life": Text(),
        "up": Text(),
        "cpu": Text(f"{sum(process['cpu_s'] for process in group['processes']):.1f}s"),
        "user": Text(clean(group["user"] or "")),
        "python": Text(clean(group["python"])),
        "from": Text(clean(" ".join(group.get("files", ())))),
        "address": Text(" ".join(where)),
    }


def _of_process(group: GroupAnswer, process: ProcessAnswer, shape: Shape) -> Row:
    state = process["state"]
    style = STYLE.get(state, "")
    retry_s = process["retry_in_s"]
    name = f"{clean(group['name'])}/{process['slot']}"
    if not shape.unbounded and len(name) + len(_INDENT) > shape.name:
        name = f"…/{process['slot']}"  # the whole name stands above
    facts = []
    if not shape.wide:
        facts = [f"pid {process['pid']}"] if process["pid"] else []
        facts += [f"life {process['life']}"]
        facts += [f"up {duration(process['uptime_s'])}"] if process["pid"] else []
    facts += [f"next try in {duration(retry_s)}"] if retry_s is not None else []
    return {
        "group": Text(f"  {sign(state)} ", style=style).append(name, style=""),
        "state": Text(state, style=style),
        "busy": Text(f"{process['requests_active']}/{group['threads']}" if process["pid"] else ""),
        "mem": Text(memory(_held(process)) if process["pid"] else ""),
        "pid": Text(str(process["pid"] or NOTHING)),
        "life": Text(str(process["life"])),
        "up": Text(duration(process["uptime_s"]) if process["pid"] else NOTHING),
        "cpu": Text(f"{process['cpu_s']:.1f}s"),
        "address": Text(", ".join(facts), style="dim"),
    }


def held_by(group: GroupAnswer) -> int:
    """Bytes that the group's processes take, and what forks them."""
    return sum(map(_held, group["processes"])) + sum(map(_held, group.get("molds", ())))


def _held(process: ProcessAnswer | MoldAnswer) -> int:
    """Bytes that it takes of the machine: its part of what is shared, where the kernel says that."""
    return process.get("pss_bytes") or process["rss_bytes"]


def _last_line(status: StatusAnswer, now: float, *, wide: bool) -> Text:
    manager = status["manager"]
    text = f"revision {status['revision']}"
    undone = status.get("rolled_back")
    if undone:
        when = ago(undone["ended_at"], now) if undone["ended_at"] else ""
        text += f" ({undone['revision']} was rolled back{f' {when}' if when else ''})"
    if paused := status.get("paused_change"):
        text += f" · change {paused} is paused: `wsgigroups resume` lets it go on"
    text += f" · manager {manager['pid']}, up {duration(manager['uptime_s'])}"
    if manager.get("stopping"):
        left_s = manager.get("drains_in_s")
        text += f", stops (drains in {duration(left_s)})" if left_s else ", stops"
    if wide:
        text += f", version {manager['version']}, cleanup by {manager['cleanup']}"
    return Text(text, style="dim")
