"""Diagnostics to stderr, for the commands that load files on the way to something else.

Runs in the user's process. Imports neither rich nor the models.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from wsgigroups.config import Loaded


def use_color(color: str, stream: TextIO) -> bool:
    """Whether to colour: --color, then NO_COLOR, FORCE_COLOR, TERM and whether it is a terminal."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"


def show_diagnostics(result: Loaded, color: str) -> None:
    """Write all diagnostics to stderr, and how many there are; nothing when there are none.

    What does not keep the command from its work is a line each.
    """
    if not result.diagnostics:
        return
    from wsgigroups.config.reports.text import render, render_concise, summary

    if not result.errors:
        click.echo(render_concise(result.diagnostics, []), err=True, nl=False)
        return
    colored = use_color(color, sys.stderr)
    click.echo(render(result.diagnostics, result.source, color=colored), err=True, color=colored)
    click.echo(summary(result.diagnostics, list({source.name: None for source in result.sources})), err=True)
