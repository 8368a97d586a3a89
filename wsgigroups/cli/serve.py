"""`wsgigroups serve`: one project in the foreground, without a file.

Runs in the user's process. Reads the project, imports nothing of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.config.discovery import Found
    from wsgigroups.config.project import Project


@click.command("serve", cls=Verb)
@click.argument("target", metavar="[DIR|MODULE:APP|FILE.wsgi]", default=".", type=click.Path(readable=False))
@click.option("--listen", multiple=True, metavar="ADDRESS", help="HOST:PORT, unix:/path, or a port of 127.0.0.1.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Requests that a process runs at once (15).")
@click.option("--processes", type=click.IntRange(1, 4096), help="Processes of the application (1).")
@click.option("--reload", is_flag=True, help="For development: changed code is loaded at once, in one process.")
@click.option(
    "-e", "--env", "variables", multiple=True, metavar="NAME[=VALUE]", help="For the application; repeatable."
)
@click.option(
    "--static", multiple=True, metavar="PREFIX=DIR", help="Files below a URL prefix: /static=static; repeatable."
)
@click.option("--user", metavar="USER", help="As root: whose process it is (www-data, else nobody).")
@click.option("--name", metavar="NAME", help="Of the group, in logs and titles of processes (the project's).")
@click.option("--write", type=click.Path(), metavar="FILE", help="Write the groups file of this instead; - prints it.")
@click.option("--force", is_flag=True, help="With --write: overwrite a file.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to say that it serves.")
@click.pass_obj
def command(
    options: Globals,
    target: str,
    listen: tuple[str, ...],
    threads: int | None,
    processes: int | None,
    reload: bool,
    variables: tuple[str, ...],
    static: tuple[str, ...],
    user: str | None,
    name: str | None,
    write: str | None,
    force: bool,
    output: str,
) -> int:
    """Serve one project in the foreground, until Ctrl-C.

    Looks at the directory as `init` does: Django, Flask, a factory, a .wsgi file, a virtual environment. The log is on
    the terminal. An application that does not start is shown, and the exit code is 1; with --reload its files are
    waited for instead.
    """
    from wsgigroups.config.project import Project, groups_file, source_patterns

    if reload and (processes or 1) > 1:
        raise click.UsageError("--reload takes one process: leave out --processes.")
    if force and write is None:
        raise click.UsageError("--force goes with --write.")
    found, directory, others = _look(target)
    _refuse_unreadable(directory)
    project = Project(
        found,
        directory,
        _addresses(listen, options.verbosity),
        name or "",
        processes,
        threads,
        user,
        _environment(variables),
        source_patterns(directory) if reload else (),
        _directories(static, directory),
    )
    if write is not None:
        return _write(project, write, force)
    from wsgigroups.cli.output import say
    from wsgigroups.cli.serving import Foreground

    if user is not None and os.geteuid() != 0:
        raise WsgigroupsError("cannot serve as another user: only root can", exit_code=ExitCode.USAGE)
    for other in others[:5]:
        say(
            f"also found: {clean(other.what)}: wsgigroups serve {clean(other.app or other.script or '')}",
            options.verbosity,
        )
    return Foreground(options, project, groups_file(project), output).run()


def _look(target: str) -> tuple[Found, Path, list[Found]]:
    """Return what is to be served, its directory, and what else was found there. Raises WsgigroupsError (2)."""
    from wsgigroups.config.discovery import LOOKED_FOR, discover, named

    path = Path(target)
    try:
        if path.is_dir():
            directory = path.resolve()
            found = discover(directory)
            if not found:
                hint = f"{LOOKED_FOR}; name it: wsgigroups serve module:application"
                raise WsgigroupsError(f"cannot find a WSGI application in {target}", hint=hint)
            return _with_environment(found[0]), directory, found[1:]
        directory = path.parent.resolve() if path.is_file() else Path.cwd()
        one = None if path.suffix in (".py", ".wsgi") and not path.is_file() else named(target, directory)
    except OSError as error:
        raise WsgigroupsError(f"cannot look at {target}: {(error.strerror or str(error)).lower()}") from None
    if one is None and path.is_file():
        hint = "name it: wsgigroups serve module:application"
        raise WsgigroupsError(f"cannot find a WSGI application in {target}", hint=hint, exit_code=ExitCode.USAGE)
    if one is None:
        raise WsgigroupsError(
            f"cannot find {target}: it is no directory, no .wsgi or .py file and no module:application",
            hint="wsgigroups serve DIR, or wsgigroups serve module:application in the project's directory",
            exit_code=ExitCode.USAGE,
        )
    return _with_environment(one), directory, []


def _refuse_unreadable(directory: Path) -> None:
    """A groups file is UTF-8, and has the directory in it. Raises WsgigroupsError (2)."""
    try:
        str(directory).encode()
    except UnicodeEncodeError:
        raise WsgigroupsError(
            f"cannot serve from {directory}: its name is not UTF-8", exit_code=ExitCode.USAGE
        ) from None


def _with_environment(found: Found) -> Found:
    """Take the environment that is activated where the project has none of its own."""
    active = os.environ.get("VIRTUAL_ENV", "")
    if found.python_home is None and os.path.isabs(active) and os.path.realpath(active) != os.path.realpath(sys.prefix):
        found.python_home = active
    return found


def _addresses(listen: tuple[str, ...], verbosity: int) -> list[str]:
    """Return what was asked for, or a loopback port that is free. Raises click.UsageError."""
    from wsgigroups.cli.new_files import FIRST_PORT, addresses, free_port
    from wsgigroups.cli.output import say

    if not listen:
        port = free_port()
        if port != FIRST_PORT:
            say(f"port {FIRST_PORT} is taken: this is port {port}", verbosity)
        return [f"127.0.0.1:{port}"]
    return addresses(listen)


def _environment(variables: tuple[str, ...]) -> dict[str, str]:
    """Return variables by name; one without a value has that of this command. Raises click.UsageError."""
    found = {}
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not name or (not equals and name not in os.environ):
            raise click.UsageError(f"--env: {variable!r} is neither NAME=VALUE nor a variable that is set here.")
        found[name] = value if equals else os.environ[name]
    return found


def _directories(static: tuple[str, ...], project: Path) -> dict[str, str]:
    """Return directories by URL prefix, those in the project relative to it. Raises click.UsageError."""
    if not static:
        return {}
    from pydantic_core import PydanticCustomError

    from wsgigroups.config.kinds import read_url_path

    found: dict[str, str] = {}
    for text in static:
        written, equals, directory = text.partition("=")
        if not equals or not directory:
            raise click.UsageError(f"--static: {text!r} is not PREFIX=DIR, as in /static=static.")
        try:
            prefix = read_url_path(written)
        except PydanticCustomError as error:
            raise click.UsageError(f"--static: {error.message()}.") from None
        if not os.path.isdir(directory):
            raise click.UsageError(f"--static: {directory!r} is not a directory.")
        if prefix in found:
            raise click.UsageError(f"--static: {prefix} is there twice.")
        place = Path(directory).resolve()
        _refuse_unreadable(place)
        found[prefix] = str(place.relative_to(project) if place.is_relative_to(project) else place)
    return found


def _write(project: Project, write: str, force: bool) -> int:
    from wsgigroups.cli.new_files import write_new
    from wsgigroups.config.project import groups_file

    if write == "-":
        click.echo(groups_file(project), nl=False)
        return int(ExitCode.DONE)
    target = Path(write)
    base = target.parent.resolve()
    text = groups_file(project, base=base if base == project.directory else None)
    write_new(target, text, force=force)
    click.echo(f"wrote {target}: {clean(project.found.what)}", err=True)
    click.echo(f"next: wsgigroups apply {target}", err=True)
    return int(ExitCode.DONE)
