"""What a change is doing while somebody waits for it, on standard error: a live display on a terminal, lines elsewhere.

Runs in the user's process; given plain data only. rich is imported where there is a terminal.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from wsgigroups.cli.output import console, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

    from wsgigroups.client.answers import ChangeAnswer, ChangedGroupAnswer


class Display(Protocol):
    """Shows a change again and again until it is over."""

    def update(self, change: ChangeAnswer) -> None:
        """Show how far it is now."""

    def close(self) -> None:
        """Leave the screen to what follows."""


def display(verbosity: int, color: str) -> Display | None:
    """Return what fits standard error; nothing with -q."""
    if verbosity < 0:
        return None
    if sys.stderr is not None and sys.stderr.isatty():
        terminal = console(color, err=True)
        if not terminal.is_dumb_terminal:
            return Screen(terminal)
    return Lines()


class _News:
    """What has not been said yet: a line for each process and state, and one for each group that is through."""

    def __init__(self) -> None:
        self._said: set[tuple[str, int, str]] = set()
        self._began = time.monotonic()

    def processes(self, change: ChangeAnswer) -> Iterator[str]:
        """Yield what the processes have come to since the last call."""
        for name, group in sorted(change["groups"].items()):
            for process in group["processes"]:
                if self._new(name, process["life"], process["state"]):
                    pid = f" pid {process['pid']}" if process["pid"] else ""
                    yield self._line(f"{name}/{process['slot']} life {process['life']}{pid}: {process['state']}")
            watched_s = group.get("watched_s")
            if watched_s and self._new(name, 0, "watched"):
                yield self._line(f"{name}: what is new has to last for {watched_s:g} s")
            yield from self._outcome(name, group)

    def groups(self, change: ChangeAnswer) -> Iterator[str]:
        """Yield which groups are through."""
        for name, group in sorted(change["groups"].items()):
            yield from self._outcome(name, group)

    def _outcome(self, name: str, group: ChangedGroupAnswer) -> Iterator[str]:
        if group["state"] != "pending" and self._new(name, 0, group["state"]):
            yield self._line(f"{name}: {group['state']}")

    def _new(self, *what: Any) -> bool:
        if what in self._said:
            return False
        self._said.add(what)
        return True

    def _line(self, text: str) -> str:
        return f"{time.monotonic() - self._began:7.2f}s  {text}"


class Lines:
    """One line per process and state; each is written once."""

    def __init__(self) -> None:
        self._news = _News()

    def update(self, change: ChangeAnswer) -> None:
        """Write what is new."""
        for line in self._news.processes(change):
            say(line)

    def close(self) -> None:
        """Nothing is left to do."""


class Screen:
    """The groups that are not through, with their processes, rewritten in place; what is through scrolls away above."""

    def __init__(self, terminal: Console) -> None:
        from rich.live import Live

        self._news = _News()
        self._terminal = terminal
        self._live = Live(console=terminal, auto_refresh=False, transient=True, vertical_overflow="ellipsis")
        self._live.start()

    def update(self, change: ChangeAnswer) -> None:
        """Draw it anew."""
        for line in self._news.groups(change):
            self._terminal.print(line, markup=False)
        self._live.update(_table(change), refresh=True)

    def close(self) -> None:
        """Remove it: rich would draw it once more, as high as it is."""
        self._live.update("", refresh=True)
        self._live.stop()


def _table(change: ChangeAnswer) -> Table:
    from rich.table import Table
    from rich.text import Text

    from wsgigroups.cli.signs import STYLE

    groups = change["groups"]
    over = sum(group["state"] != "pending" for group in groups.values())
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
    table.add_row(Text(f"change {change['id']}, {change['kind']}", style="bold"), "", f"{over} of {len(groups)} groups")
    for name, group in sorted(groups.items()):
        if group["state"] != "pending":
            continue
        leaving = f", {group['leaving']} to leave" if group["leaving"] else ""
        if group.get("watched_s"):
            leaving += f", what is new has to last for {group['watched_s']:g} s"
        table.add_row(Text(name, style="bold"), "", f"{group['ready']} of {group['wanted']} ready{leaving}")
        for process in group["processes"]:
            state = Text(process["state"], style=STYLE.get(process["state"], ""))
            table.add_row(f"  {name}/{process['slot']} life {process['life']}", str(process["pid"] or "-"), state)
    return table
