"""`wsgigroups config show FILE…`: the effective configuration, every value with its origin.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILES, running
from wsgigroups.cli.verbs import VerbGroup
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals


@click.group("config", cls=VerbGroup)
def command() -> None:
    """Show what the files say together."""


@command.command("show")
@FILES
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")
@click.option("--defaults/--no-defaults", default=True, help="Options that nobody wrote, too.")
@click.option("--show-secrets", is_flag=True, help="Values of environment, too, instead of (hidden).")
@click.option("-o", "--output", type=click.Choice(["text", "toml", "yaml", "json"]), default="text")
@click.pass_obj
def show(
    options: Globals,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    defaults: bool,
    show_secrets: bool,
    output: str,
) -> None:
    """Show the effective configuration and where each value comes from.

    Precedence, lowest first: built-in default, [defaults], the group's own table, profiles in their order. As toml and
    yaml the output is a configuration again, the same one with --show-secrets.
    """
    from wsgigroups.cli.diagnostics import show_diagnostics, use_color
    from wsgigroups.cli.output import write_data
    from wsgigroups.config import show as showing
    from wsgigroups.config.loader import load

    result = load(files or running(options), profiles=profiles, trust=False)
    if result.configuration is None:
        show_diagnostics(result, options.color)
        raise WsgigroupsError("cannot show a configuration that has errors", exit_code=ExitCode.USAGE)
    wanted = defaults and output in ("text", "json")
    found = list(showing.blocks(result.configuration, result.composed, defaults=wanted, secrets=show_secrets))
    if output == "text":
        colored = use_color(options.color, sys.stdout)

        def paint(text: str, style: str) -> str:
            return f"\x1b[{style}m{text}\x1b[0m" if colored and style else text

        click.echo(showing.as_text(found, paint), nl=False, color=colored)
    elif output == "toml":
        click.echo(showing.as_toml(found), nl=False)
    elif output == "yaml":
        write_data(showing.as_data(found, escape=True), "yaml")
    else:
        data = {
            "schema_version": 1,
            "configuration": showing.as_data(found, escape=False),
            "origins": showing.origins(found),
        }
        write_data(data, "json")
