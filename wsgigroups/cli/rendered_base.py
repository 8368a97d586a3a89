"""A directory of rendered files: written, or compared with what would be written.

Runs in the user's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def write_files(directory: Path, wanted: Mapping[str, str], head: str) -> None:
    """Write what differs, and remove what was rendered before and is not any more.

    head: how every rendered file begins. A file that begins otherwise is somebody else's. Raises WsgigroupsError for
    such a file where one is to be written, before anything is; and for what cannot be written.
    """
    present = _present(directory)
    for name in wanted:
        if name in present and not present[name].startswith(head):
            raise WsgigroupsError(
                f"cannot write {directory / name}: that file was not rendered by wsgigroups",
                hint="name another directory, or move the file away",
            )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            if present.get(name) != text:
                (directory / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        for name, text in present.items():
            if name not in wanted and text.startswith(head):
                (directory / name).unlink()
    except OSError as error:
        raise WsgigroupsError(f"cannot write {error.filename or directory}: {error.strerror}") from None


def check_files(directory: Path, wanted: Mapping[str, str], head: str, covered: Callable[[str], str]) -> ExitCode:
    """Say what is stale; FAILED if anything is. covered: a text without secrets.

    Raises WsgigroupsError for a directory that cannot be read.
    """
    from wsgigroups.interop.renderers.comparing import stale_files

    present = {name: text for name, text in _present(directory).items() if name in wanted or text.startswith(head)}
    stale = tuple(stale_files(wanted, present, covered))
    for file in stale:
        click.echo(f"{clean(file.name)} {file.what}")
        for line in file.lines:
            click.echo(f"  {clean(line)}")
    return ExitCode.FAILED if stale else ExitCode.DONE


def _present(directory: Path) -> dict[str, str]:
    """The text of each YAML file; none where there is no such directory. Raises WsgigroupsError for others."""
    try:
        paths = [path for path in directory.iterdir() if path.suffix == ".yaml" and path.is_file()]
        return {path.name: path.read_bytes().decode("utf-8", "surrogateescape") for path in paths}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise WsgigroupsError(f"cannot read {error.filename or directory}: {error.strerror}") from None
