"""What a change is doing while somebody waits for it, on standard error: a live display on a terminal, lines elsewhere.

Runs in the user's process; given plain data only. rich is imported where there is a terminal.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from wsgigroups.cli.amounts import counted
from wsgigroups.cli.output import console, say
from wsgigroups.cli.signs import STYLE, writable, written_to_stderr

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from wsgigroups.cli.news import ChangeNews
    from wsgigroups.client.answers import ChangeAnswer


class Display(Protocol):
    """Shows a change again and again until it is over."""

    def update(self, change: ChangeAnswer) -> None:
        """Show how far it is now."""

    def close(self) -> None:
        """Leave the screen to what follows."""


def display(verbosity: int, color: str, news: ChangeNews) -> Display | None:
    """Return what fits standard error; nothing with -q."""
    if verbosity < 0:
        return None
    if sys.stderr is not None and sys.stderr.isatty():
        terminal = console(color, err=True)
        if not terminal.is_dumb_terminal:
            return Screen(terminal, news)
    return Lines(news)


class Lines:
    """A line for each fact; each is written once."""

    def __init__(self, news: ChangeNews) -> None:
        self._news = news

    def update(self, change: ChangeAnswer) -> None:
        """Write what is new."""
        for line in self._news.lines(change):
            say(written_to_stderr(line))

    def close(self) -> None:
        """Nothing is left to do."""


class Screen:
    """The groups that are not through, with their processes, rewritten in place; what is through scrolls away above."""

    def __init__(self, terminal: Console, news: ChangeNews) -> None:
        from rich.live import Live

        self._news = news
        self._terminal = terminal
        self._live = Live(console=terminal, auto_refresh=False, transient=True, vertical_overflow="ellipsis")
        self._live.start()

    def update(self, change: ChangeAnswer) -> None:
        """Draw it anew."""
        for line in self._news.outcomes(change):
            self._terminal.print(writable(line, self._terminal.encoding), markup=False)
        self._live.update(_table(change), refresh=True)

    def close(self) -> None:
        """Remove it: rich would draw it once more, as high as it is."""
        self._live.update("", refresh=True)
        self._live.stop()


def _table(change: ChangeAnswer) -> Table:
    from rich.table import Table
    from rich.text import Text

    groups = change["groups"]
    over = sum(group["state"] != "pending" for group in groups.values())
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
    table.add_row(Text(f"change {change['id']}, {change['kind']}", style="bold"), "", f"{over} of {len(groups)} groups")
    for name, group in sorted(groups.items()):
        if group["state"] != "pending":
            continue
        leaving = f", {counted(group['leaving'], 'old process', 'old processes')} to stop" if group["leaving"] else ""
        if group.get("watched_s"):
            leaving += f", what is new is watched for {group['watched_s']:g} s"
        table.add_row(Text(name, style="bold"), "", f"{group['ready']} of {group['wanted']} ready{leaving}")
        for process in group["processes"]:
            state = Text(process["state"], style=STYLE.get(process["state"], ""))
            table.add_row(f"  {name}/{process['slot']}", str(process["pid"] or "–"), state)
    return table
