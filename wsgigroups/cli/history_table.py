"""The table of the history.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from wsgigroups.cli.output import console
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.client.answers import RevisionAnswer


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
