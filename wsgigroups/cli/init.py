"""`wsgigroups init [DIR]`: a commented groups file for the project in a directory.

Runs in the user's process. Reads the project, imports nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.config.discovery import Found


@click.command("init", cls=Verb)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--app", metavar="MODULE:APP|FILE.wsgi", help="The application, instead of what is found first.")
@click.option("--name", metavar="NAME", help="Of the group (the project's).")
@click.option("--listen", multiple=True, metavar="ADDRESS", help="HOST:PORT, unix:/path, or a port of 127.0.0.1.")
@click.option("--user", metavar="USER", help="Whose processes they are, when wsgigroups runs as root.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Write groups.yaml.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option("--stdout", is_flag=True, help="Print it instead of writing a file.")
def command(
    directory: Path,
    app: str | None,
    name: str | None,
    listen: tuple[str, ...],
    user: str | None,
    as_yaml: bool,
    force: bool,
    stdout: bool,
) -> None:
    """Write a commented groups.toml after looking at the project.

    Finds Django, Flask, Falcon, Bottle, Pyramid, factories, .wsgi files, what a Procfile or pyproject.toml names, and
    the environment of venv, uv, Poetry, PDM or Pipenv. Where it finds no application it writes a template.
    """
    from wsgigroups.cli.new_files import addresses, free_port, write_new
    from wsgigroups.config.build import GROUP_NAME, RESERVED_NAMES
    from wsgigroups.config.discovery import discover
    from wsgigroups.config.kinds import is_user
    from wsgigroups.config.starter import StarterFile

    if not directory.is_dir():
        raise WsgigroupsError(f"cannot look at {directory}: it is not a directory")
    if name is not None and (not GROUP_NAME.fullmatch(name) or name in RESERVED_NAMES):
        raise click.UsageError(f"--name: {name!r} cannot be the name of a group.")
    if user is not None and not is_user(user):
        raise click.UsageError(f"--user: {user!r} is no name of a user.")
    found = [_named(app, directory)] if app is not None else discover(directory)
    places = addresses(listen) if listen else [f"127.0.0.1:{free_port()}"]
    first = found[0] if found else None
    text = StarterFile(first, found[1:], places, name or "", user, yaml=as_yaml).text()
    if stdout:
        click.echo(text, nl=False)
        return
    target = directory / ("groups.yaml" if as_yaml else "groups.toml")
    write_new(target, text, force=force)
    if first is not None:
        click.echo(f"wrote {target}: {clean(first.what)}", err=True)
        click.echo(f"next: wsgigroups validate {target}", err=True)
    else:
        click.echo(f"wrote {target}: a template, because no WSGI application was found in {directory}", err=True)
        for line in _next_steps(directory, target):
            click.echo(line, err=True)


def _next_steps(directory: Path, target: Path) -> list[str]:
    """What is to be done with a template."""
    from wsgigroups.config.discovery import paste_file, pyramid_main

    module = pyramid_main(directory)
    if module is None:
        return [f"next: write what yours is called into it, then wsgigroups validate {target}"]
    script = f"{module}.wsgi"
    return [
        f"main(global_config, **settings) of {clean(module)} is Pyramid's, and no server can call it.",
        f"Write a script with its settings, {script}:",
        "    from pyramid.paster import get_app",
        f"    application = get_app({str((directory / paste_file(directory)).resolve())!r}, 'main')",
        f"next: wsgigroups init --force --app {script}",
    ]


def _named(app: str, directory: Path) -> Found:
    """The application that was named. Raises WsgigroupsError (2)."""
    from wsgigroups.config.discovery import named

    found = named(app, directory)
    if found is None or (found.script is not None and not (directory / app).is_file()):
        raise WsgigroupsError(
            f"cannot find {app}: it is no module:application, and no .wsgi or .py file of {directory}",
            exit_code=ExitCode.USAGE,
        )
    if found.script is not None:
        found.script = app
    return found
