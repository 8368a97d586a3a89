"""Files on the command line to a configuration; diagnostics to stderr on the way.

Runs in the user's process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsgigroups.config import Configuration
    from wsgigroups.config.build import Parts
    from wsgigroups.config.diagnostics import Finding

FILE = click.Path(path_type=Path, readable=False)  # what cannot be read is told by who reads it, with a code
FILES = click.argument("files", metavar="FILE…", nargs=-1, required=True, type=FILE)
PROFILE = click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")


def load_files(
    files: Sequence[Path], profiles: Sequence[str], color: str, *, on_this_host: bool = False
) -> Configuration:
    """Return the configuration. Raises WsgigroupsError (exit code 2) after every mistake was shown.

    on_this_host: what would fail here for certain is a mistake. Not for what runs already: one group whose directory is
    gone must not keep a manager from starting the others.
    """
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.config import load

    result = load(list(files), profiles=tuple(profiles), settle=True, check=_check() if on_this_host else None)
    show_diagnostics(result, color)
    if result.configuration is None:
        raise WsgigroupsError("cannot use this configuration", hint="nothing was changed", exit_code=ExitCode.USAGE)
    return result.configuration


def _check() -> Callable[[Parts], list[Finding]]:
    from wsgigroups.host.checks.certain import certain
    from wsgigroups.host.real import RealHost

    return certain(RealHost())
