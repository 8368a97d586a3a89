"""`wsgigroups explain KEY|CODE`: the documentation of an option or a diagnostic, offline.

Runs in the user's process. Reads generated files: neither models nor rich are imported.
"""

from __future__ import annotations

import re
import textwrap

import click

from wsgigroups.cli.completing import complete_keys
from wsgigroups.cli.output import OUTPUT_FORMATS, write_data
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError


@click.command("explain", cls=Verb)
@click.argument("key", metavar="[KEY|CODE]", required=False, shell_complete=complete_keys)
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Show the arithmetic for N threads.")
@click.option("--value", metavar="VALUE", help="Show the arithmetic for this value of the option.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
def command(key: str | None, threads: int | None, value: str | None, output: str) -> None:
    """Explain an option or a diagnostic."""
    if key is not None and re.fullmatch(r"(?i)WG\d+", key):
        _explain_code(key.upper(), output)
        return
    from wsgigroups.config.explain import find_option, list_lines, option_lines
    from wsgigroups.config.generated import read_json

    tables = read_json("options.json")
    if key is None:
        if output == "text":
            click.echo("\n".join(list_lines(tables)))
        else:
            write_data(tables, output)
        return
    table, name, facts = find_option(key, tables)
    if output != "text":
        write_data({"table": table, "name": name, **facts}, output)
        return
    click.echo("\n".join(option_lines(table, name, facts, threads, value)))


def _explain_code(code: str, output: str) -> None:
    from wsgigroups.config.codes import CODES
    from wsgigroups.config.codes.page import example_document
    from wsgigroups.config.explain import wrapped

    entry = CODES.get(code)
    if entry is None:
        hint = f"codes go from {min(CODES)} to {max(CODES)}; docs/diagnostics lists them"
        raise WsgigroupsError(f"cannot explain {code}: there is no such code", hint=hint, exit_code=ExitCode.USAGE)
    example = example_document(entry) if entry.example else None
    if output != "text":
        data = {
            "code": code,
            "severity": entry.severity.value,
            "title": entry.title,
            "text": entry.text,
            "way_out": entry.way_out,
            "example": example,
        }
        write_data(data, output)
        return
    click.echo(
        f"{code}: {entry.title}   ({entry.severity.value}{', only with --strict' if entry.strict_only else ''})\n"
    )
    click.echo("\n".join([*wrapped(entry.text), "", *wrapped(f"What to do: {entry.way_out}")]))
    if example:
        click.echo("\nFor example:\n")
        click.echo(textwrap.indent(example, "    "), nl=False)
