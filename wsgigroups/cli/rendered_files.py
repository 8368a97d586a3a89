"""Files that `render` writes, or compares with what is there. Runs in the user's process."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.new_files import refuse_others_way
from wsgigroups.config.kinds import is_stream
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.trust.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wsgigroups.interop.renderers import Rendering


def show(files: Rendering) -> None:
    """Print the files; where there are several, each below a comment with its name."""
    if len(files) == 1:
        click.echo(_bytes(*files.values()), nl=False)
        return
    parts = [f"# {name}\n".encode() + _bytes(text) for name, text in files.items()]
    click.echo(b"\n".join(parts), nl=False)


def placed(files: Rendering, output: Path, *, alone: bool) -> dict[Path, str]:
    """Return the texts by where they belong. alone: it is a form of one file, whose path the output may be."""
    if alone and not output.is_dir():
        (text,) = files.values()
        return {output: text}
    if not alone and output.exists() and not output.is_dir():
        raise WsgigroupsError(
            f"cannot write to {output}: it is a file, and there are {len(files)} to be written",
            hint="name a directory",
            exit_code=ExitCode.USAGE,
        )
    return {output / name: text for name, text in files.items()}


def write(texts: Mapping[Path, str], directory: Path | None) -> None:
    """Write the files, and make the directory and those below it that they want. Raises WsgigroupsError."""
    for path, text in texts.items():
        if not is_stream(str(path)):
            refuse_others_way(path)
        try:
            if directory is not None:
                directory.mkdir(exist_ok=True)
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_bytes(text))
        except OSError as error:
            raise WsgigroupsError(f"cannot write {path}: {error.strerror}") from None


def left_over(texts: Mapping[Path, str], mark: str) -> list[Path]:
    """Return files beside these that begin with the mark, and are no longer rendered; unreadable ones are none."""
    found = []
    for directory in {path.parent for path in texts} if mark else ():
        with contextlib.suppress(OSError):
            found += [path for path in directory.iterdir() if path not in texts and _begins_with(path, mark)]
    return sorted(found)


def foreign(texts: Mapping[Path, str], mark: str) -> list[Path]:
    """Return which of these there are already, and begin with something else than the mark: somebody else's."""
    return [path for path in texts if path.exists() and not _begins_with(path, mark)]


def check(texts: Mapping[Path, str], covered: Callable[[str], str], mark: str) -> int:
    """Say which files are stale; the exit code is 1 where there are some. covered: returns a text without secrets.

    Raises WsgigroupsError for one that cannot be read.
    """
    from wsgigroups.interop.renderers.staleness import stale
    from wsgigroups.runtime.text import clean

    found = {str(path): _there(path) for path in texts}
    said = stale({str(path): text for path, text in texts.items()}, found, covered)
    for name, lines in said.items():
        click.echo(f"{clean(name)}: {lines[0]}")
        for line in lines[1:]:
            click.echo(line)
    others = left_over(texts, mark)
    for path in others:
        click.echo(f"{clean(str(path))}: is no longer rendered")
    return int(ExitCode.FAILED if said or others else ExitCode.DONE)


def _begins_with(path: Path, mark: str) -> bool:
    try:
        if path.is_symlink():
            return False
        with os.fdopen(open_regular(str(path)), "rb") as file:
            return file.read(len(mark) + 1) == f"{mark}\n".encode()
    except OSError:
        return False


def _there(path: Path) -> str | None:
    try:
        with os.fdopen(open_regular(str(path)), "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise WsgigroupsError(f"cannot read {path}: {error.strerror}") from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
