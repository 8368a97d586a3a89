"""`wsgigroups validate FILE…`: every mistake at once, for people and for CI.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILES
from wsgigroups.config.reports import FORMATS
from wsgigroups.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Loaded
    from wsgigroups.config.build import Parts
    from wsgigroups.config.diagnostics import Finding


@click.command("validate")
@FILES
@click.option("-o", "--output", type=click.Choice(FORMATS), default="text", help="Format of the report, on stdout.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")
@click.option("--offline", is_flag=True, help="Leave out what depends on the host: users, paths, interpreters.")
@click.option("--facts", type=click.Path(path_type=Path), metavar="FILE", help="Check against this recorded host.")
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    output: str,
    strict: bool,
    profiles: tuple[str, ...],
    offline: bool,
    facts: Path | None,
) -> int:
    """Report every mistake of the configuration, with its place and the way out.

    FILE may be a directory, or - for standard input. Checked against this host, unless --offline is given, or --facts
    with what `wsgigroups facts` wrote on another one. Exit code: 0 without errors, 2 with.
    """
    from wsgigroups.config.loader import load

    if offline and facts is not None:
        raise click.UsageError("--offline and --facts exclude each other")
    result = load(list(files), profiles=profiles, strict=strict, trust=False, check=choose_check(offline, facts))
    write_report(result, output, options)
    return int(ExitCode.USAGE) if result.errors else int(ExitCode.DONE)


def choose_check(offline: bool, facts: Path | None) -> Callable[[Parts], list[Finding]] | None:
    """What asks this host, or the recorded one. Raises WsgigroupsError for facts that cannot be read."""
    if offline:
        return None
    from wsgigroups.host.checks.host import against

    if facts is not None:
        from wsgigroups.host.recorded import read_facts

        return against(read_facts(facts))
    from wsgigroups.host.real import RealHost

    return against(RealHost())


def write_report(result: Loaded, output: str, options: Globals) -> None:
    """Write the report to stdout, for text its last line to stderr."""
    names = list(dict.fromkeys(source.name for source in result.sources))
    if output != "text":
        from wsgigroups.config.reports import renderer

        # bytes: these formats are UTF-8 in every locale
        click.echo(renderer(output)(result.diagnostics, names).encode(), nl=False)
        return
    from wsgigroups.cli.diagnostics import use_color
    from wsgigroups.cli.output import say
    from wsgigroups.config.reports.text import render, summary

    colored = use_color(options.color, sys.stdout)
    if result.diagnostics:
        click.echo(render(result.diagnostics, result.source, color=colored), color=colored)
    say(summary(result.diagnostics, len(names)), options.verbosity)
