"""The groups of several machines in one table: a row for each group, and one for each machine that does not answer.

Runs in the user's process. Machines are not believed: what of an answer cannot be shown makes it none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from wsgigroups.cli.signs import sign, writable
from wsgigroups.cli.status import select, unhealthy
from wsgigroups.cli.status_table import UNBOUNDED, Row, Shape, row_of_group, status_console
from wsgigroups.cli.troubles import troubles
from wsgigroups.client.machines import NO_STATUS
from wsgigroups.errors import WsgigroupsError
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from wsgigroups.client.machines import MachineAnswer

_HOST = "host"
_RIGHT = ("ready", "restarts", "busy", "req/s", "p99", "mem", "pid", "life", "up", "cpu")
_MISFITS = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def selected(answer: MachineAnswer, names: tuple[str, ...]) -> MachineAnswer:
    """Return the answer with the named groups only; without a status where it has none, or cannot be shown."""
    if answer.status is None:
        return answer
    try:
        gateway = answer.status.get("gateway")  # addresses of groups are those of sites that lead to them
        status = select(answer.status, names).copy()
        status["gateway"] = gateway
        found = replace(answer, status=status)
        for shape in (Shape(UNBOUNDED), Shape(UNBOUNDED, wide=True)):
            _rows(found, shape)
        _troubles(found)
        unhealthy(status, names)
    except WsgigroupsError as error:
        return replace(answer, status=None, error=error.message)
    except _MISFITS:
        return replace(answer, status=None, error=NO_STATUS)
    return found


def show_machines(answers: Sequence[MachineAnswer], color: str, *, wide: bool = False) -> None:
    """Print the table, what is wrong with groups below it, and how many are well."""
    out = status_console(color)
    width = out.width
    shape = Shape(max(1, width - max(len(answer.machine.name) for answer in answers) - 2), wide=wide)
    if wide:
        out.width = UNBOUNDED
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in (_HOST, *shape.columns):
        table.add_column(
            ("  " if name == "group" else "") + name.upper(),
            justify="right" if name in _RIGHT else "left",
            no_wrap=name in ("ready", "state"),
            overflow="fold",
        )
    for answer in answers:
        for row in _rows(answer, shape):
            cells = [row.get(name, Text()) for name in (_HOST, *shape.columns)]
            table.add_row(*(_safe(cell, out) for cell in cells))
    out.print(table)
    for answer in answers:
        for line in _troubles(answer, rows_say_why="address" in shape.columns):
            out.print(_safe(line, out))
    out.print(Text(_last_line(answers), style="dim"))


def _safe(text: Text, out: Console) -> Text:
    """A text of which a machine may have written any part, as this terminal can show it."""
    return Text(writable(clean(text.plain), out.encoding), style=text.style)


def _rows(answer: MachineAnswer, shape: Shape) -> list[Row]:
    host = Text(clean(answer.machine.name), style="bold")
    status = answer.status
    if status is None:
        failed: Row = {
            "group": Text(f"{sign('failed')} -", style="red"),
            "state": Text("unknown", style="red"),
            "address": Text(clean(answer.error), style="red"),
        }
        return [{_HOST: host, **failed}]
    groups = sorted(status["groups"], key=lambda group: group["name"] == GATEWAY)
    if not groups:
        return [{_HOST: host, "group": Text("  -"), "state": Text("no groups", style="dim")}]
    return [{_HOST: host, **row_of_group(group, status.get("gateway"), shape)} for group in groups]


def _troubles(answer: MachineAnswer, *, rows_say_why: bool = False) -> list[Text]:
    name = clean(answer.machine.name)
    if answer.status is None:
        return [] if rows_say_why else [Text(f"{name}: {clean(answer.error)}", style="red")]
    return [
        Text(f"{name} {clean(group['name'])}: {line.plain}")
        for group in answer.status["groups"]
        for line in troubles(group)
    ]


def _last_line(answers: Sequence[MachineAnswer]) -> str:
    groups = [group for answer in answers if answer.status for group in answer.status["groups"]]
    well = sum(group["state"] in ("ready", "asleep") for group in groups)
    silent = sum(answer.status is None for answer in answers)
    machines = "1 machine" if len(answers) == 1 else f"{len(answers)} machines"
    text = f"{machines}, {well} of {len(groups)} groups ready"
    return text + (f", no status of {silent}" if silent else "")
