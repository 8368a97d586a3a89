"""Files on the command line to a configuration; diagnostics to stderr on the way.

Runs in the user's process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config import Configuration

FILES = click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
PROFILE = click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")


def load_files(files: Sequence[Path], profiles: Sequence[str], color: str) -> Configuration:
    """Return the configuration. Raises WsgigroupsError (exit code 2) after every mistake was shown."""
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.config import load

    result = load(list(files), profiles=tuple(profiles), settle=True)
    show_diagnostics(result, color)
    if result.configuration is None:
        raise WsgigroupsError("cannot use this configuration", hint="nothing was changed", exit_code=ExitCode.USAGE)
    return result.configuration
