"""`wsgigroups init [DIR]`: a commented groups.toml for the project in a directory.

Runs in the user's process. Reads the project, imports nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from pathlib import Path

import click

from wsgigroups.errors import WsgigroupsError
from wsgigroups.runtime.text import clean


@click.command("init")
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite an existing groups.toml.")
@click.option("--stdout", is_flag=True, help="Print it instead of writing a file.")
def command(directory: Path, force: bool, stdout: bool) -> None:
    """Write a commented groups.toml after looking at the project: Django, Flask, a factory, a .wsgi file, a venv."""
    from wsgigroups.config.discovery import discover
    from wsgigroups.config.starter import starter

    if not directory.is_dir():
        raise WsgigroupsError(f"cannot look at {directory}: it is not a directory")
    found = discover(directory)
    if not found:
        raise WsgigroupsError(
            f"cannot find a WSGI application in {directory}",
            hint="looked for manage.py, *.wsgi, and Flask, create_app or application in wsgi.py, app.py, main.py and "
            "packages; docs/options.md has all that a file can say",
        )
    text = starter(found[0], found[1:], _free_port())
    if stdout:
        click.echo(text, nl=False)
        return
    target = directory / "groups.toml"
    _write(target, text, force)
    click.echo(f"wrote {target}: {clean(found[0].what)}", err=True)
    click.echo(f"next: wsgigroups validate {target}", err=True)


def _write(target: Path, text: str, force: bool) -> None:
    """Write a new file, or replace the old one at once. Raises WsgigroupsError."""
    try:
        if not force:
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
            return
        fd, name = tempfile.mkstemp(dir=target.parent, prefix=".groups.toml-")
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(fd, 0o644)  # by descriptor: whoever owns the project could exchange the name
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except FileExistsError:
        raise WsgigroupsError(f"cannot write {target}: it is there already", hint="--force overwrites it") from None
    except OSError as error:
        raise WsgigroupsError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None


def _free_port() -> int:
    """The first port from 8000 on that nobody listens on, so that the file applies as it is."""
    for port in range(8000, 8100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 8000
