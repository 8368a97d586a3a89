"""`wsgigroups validate FILE…`: every mistake at once, for people and for CI.

Runs in the user's process.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILES, running
from wsgigroups.cli.output import say, write_data
from wsgigroups.cli.verbs import Verb
from wsgigroups.config.diagnostics import Severity
from wsgigroups.config.reports import FORMATS
from wsgigroups.errors import ExitCode
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Loaded
    from wsgigroups.config.build import Parts
    from wsgigroups.config.diagnostics import Finding


OUTPUTS = (*FORMATS, "yaml")
PASSES = 3  # what is fixed may bring to light what was hidden behind it


@click.command("validate", cls=Verb)
@FILES
@click.option("-o", "--output", type=click.Choice(OUTPUTS), default="text", help="Format of the report, on stdout.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")
@click.option("--offline", is_flag=True, help="Leave out what depends on the host: users, paths, interpreters.")
@click.option("--separate", is_flag=True, help="Each FILE is a configuration of its own.")
@click.option("--fix", "fixes", is_flag=True, help="Write into the files what is certain to be meant.")
@click.option("--facts", type=click.Path(path_type=Path), metavar="FILE", help="Check against this recorded host.")
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    output: str,
    strict: bool,
    profiles: tuple[str, ...],
    offline: bool,
    separate: bool,
    fixes: bool,
    facts: Path | None,
) -> int:
    """Report every mistake of the configuration, with its place and the way out.

    FILE may be a directory, or - for standard input; without one it is groups.toml, groups.yaml or groups/ here, else
    what runs. Checked against this host, unless --offline is given, or --facts
    with what `wsgigroups facts` wrote on another one. Exit code: 0 without errors, 2 with.
    """
    from wsgigroups.config.loader import load

    if offline and facts is not None:
        raise click.UsageError("--offline and --facts exclude each other")
    check = choose_check(offline, facts)
    if check is not None and facts is None:
        from wsgigroups.cli.own_addresses import with_taken_addresses

        check = with_taken_addresses(options, check)
    read = partial(load, profiles=profiles, strict=strict, trust=False, check=check)
    configurations = [[file] for file in files] if separate and files else [files or running(options)]
    results = [read(paths) for paths in configurations]
    if fixes:
        from wsgigroups.cli.fixing import fix

        for number, paths in enumerate(configurations):
            for _pass in range(PASSES):
                done = fix(results[number])
                if not done:
                    break
                for name, count in done.items():
                    say(f"fixed {count} {'mistakes' if count > 1 else 'mistake'} in {clean(name)}", options.verbosity)
                results[number] = read(paths)
    result = results[0] if len(results) == 1 else _together(results)
    write_report(result, output, options)
    return int(ExitCode.USAGE) if result.errors else int(ExitCode.DONE)


def _together(results: Sequence[Loaded]) -> Loaded:
    """Of several configurations one report."""
    from wsgigroups.config import Loaded

    diagnostics = tuple(item for result in results for item in result.diagnostics)
    return Loaded(None, diagnostics, tuple(source for result in results for source in result.sources))


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
    if output == "yaml":
        from wsgigroups.config.reports import renderer

        write_data(json.loads(renderer("json")(result.diagnostics, names)), output)
        return
    if output != "text":
        from wsgigroups.config.reports import renderer

        # bytes: these formats are UTF-8 in every locale
        click.echo(renderer(output)(result.diagnostics, names).encode(), nl=False)
        return
    from wsgigroups.cli.diagnostics import use_color
    from wsgigroups.config.reports.text import render, summary

    fixable = sum(item.fix is not None for item in result.diagnostics)
    colored = use_color(options.color, sys.stdout)
    if result.diagnostics:
        click.echo(render(result.diagnostics, result.source, color=colored), color=colored)
    say(summary(result.diagnostics, names), options.verbosity)
    codes = [item.code for item in result.diagnostics if item.severity is Severity.ERROR]
    if codes:
        say(f"Explain one of them: wsgigroups explain {codes[0]}", options.verbosity)
    if fixable:
        say(f"{fixable} of them can be fixed: wsgigroups validate --fix", options.verbosity)
