"""Files on the command line to a configuration; diagnostics to stderr on the way.

Runs in the user's process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.verbs import verbosity
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import ConfigurationAnswer
    from wsgigroups.config import Configuration
    from wsgigroups.config.build import Parts
    from wsgigroups.config.diagnostics import Finding
    from wsgigroups.config.files import GivenText

FILE = click.Path(path_type=Path, readable=False)  # what cannot be read is told by who reads it, with a code
PROFILE = click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")


def _files_here(ctx: click.Context, _parameter: click.Parameter, files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Those that were named, else the first that this directory has; none where it has none."""
    if files or ctx.resilient_parsing:
        return files
    from wsgigroups.cli.output import say
    from wsgigroups.config.files_here import files_in

    found = files_in()
    if len(found) > 1:
        others = ", ".join(path.name for path in found[1:])
        say(f"reading {found[0].name}; here is {others}, too: name the file that you mean", verbosity(ctx))
    return found[:1]


FILES = click.argument("files", metavar="[FILE]…", nargs=-1, type=FILE, callback=_files_here)


def load_files(
    options: Globals, files: Sequence[Path], profiles: Sequence[str], *, on_this_host: bool = False
) -> Configuration:
    """Return the configuration, or the one that runs where there are no files.

    Raises WsgigroupsError, for mistakes with exit code 2 after every one was shown.

    on_this_host: what would fail here for certain is a mistake. Not for what runs already: one group whose directory is
    gone must not keep a manager from starting the others.
    """
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.cli.own_addresses import with_taken_addresses
    from wsgigroups.config import load
    from wsgigroups.config.owners import Owners, owners_of
    from wsgigroups.uncollected import uncollected

    check = with_taken_addresses(options, certain_here()) if on_this_host else None
    there = None if files else _asked(options)
    with uncollected():
        result = load(files or _texts(there), profiles=tuple(profiles), settle=True, check=check)
    show_diagnostics(result, options.color)
    if result.configuration is None or result.composed is None:
        raise WsgigroupsError("cannot use this configuration", hint="nothing was changed", exit_code=ExitCode.USAGE)
    owners = Owners.read(there["configuration"]) if there else owners_of(result.composed)
    return result.configuration.model_copy(update={"owners": owners})


def running(options: Globals) -> list[GivenText]:
    """The configuration that runs, for `config.load`: a text for each file that it came from.

    Raises WsgigroupsError where there is none.
    """
    return _texts(_asked(options))


def _asked(options: Globals) -> ConfigurationAnswer:
    import os

    from wsgigroups.cli.output import say
    from wsgigroups.client import Client
    from wsgigroups.config.files_here import LOOKED_FOR

    try:
        answer = Client(options.run_dir).configuration()
    except WsgigroupsError as error:
        if error.exit_code is not ExitCode.NO_MANAGER:
            raise
        raise WsgigroupsError(
            f"cannot find a configuration: no FILE was named, {os.getcwd()} has no {LOOKED_FOR}, and {error.message}",
            hint="`wsgigroups init` writes groups.toml for a project",
            exit_code=ExitCode.USAGE,
        ) from None
    say(f"no FILE was named and none is here: this is revision {answer['revision']}, which runs", options.verbosity)
    return answer


def _texts(answer: ConfigurationAnswer | None) -> list[GivenText]:
    import json

    from wsgigroups.config.files import GivenText
    from wsgigroups.config.owners import by_file
    from wsgigroups.config.show import literal_document

    if answer is None:
        return []
    name = f"revision {answer['revision']}"
    return [
        GivenText(f"{name}, {file}" if file else name, json.dumps(literal_document(part)))
        for file, part in by_file(answer["configuration"]).items()
    ]


def certain_here() -> Callable[[Parts], list[Finding]]:
    """What would fail on this host for certain, for `config.load`."""
    from wsgigroups.host.checks.certain import certain
    from wsgigroups.host.real import RealHost

    return certain(RealHost())
