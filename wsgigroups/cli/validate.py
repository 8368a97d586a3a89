"""`wsgigroups validate FILE…`: every mistake at once, for people and for CI.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.config.reports import FORMATS
from wsgigroups.errors import ExitCode

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Loaded

FILES = click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))


@click.command("validate")
@FILES
@click.option("-o", "--output", type=click.Choice(FORMATS), default="text", help="Format of the report, on stdout.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    output: str,
    strict: bool,
    profiles: tuple[str, ...],
) -> int:
    """Report every mistake of the configuration, with its place and the way out.

    FILE may be a directory, or - for standard input. Exit code: 0 without errors, 2 with.
    """
    from wsgigroups.config.loader import load

    result = load(list(files), profiles=profiles, strict=strict, trust=False)
    write_report(result, output, options)
    return int(ExitCode.USAGE) if result.errors else int(ExitCode.DONE)


def write_report(result: Loaded, output: str, options: Globals) -> None:
    """Write the report to stdout, for text its last line to stderr."""
    names = list(dict.fromkeys(source.name for source in result.sources))
    if output != "text":
        from wsgigroups.config.reports import renderer

        click.echo(renderer(output)(result.diagnostics, names), nl=False)
        return
    from wsgigroups.cli.diagnostics import use_color
    from wsgigroups.config.reports.text import render, summary

    colored = use_color(options.color, sys.stdout)
    if result.diagnostics:
        click.echo(render(result.diagnostics, result.source, color=colored), color=colored)
    if options.verbosity >= 0:
        click.echo(summary(result.diagnostics, len(names)), err=True)
