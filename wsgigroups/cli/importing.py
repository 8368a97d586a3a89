"""`wsgigroups import KIND FILE…`: a groups file of what another program has, and what could not be kept.

Runs in the user's process. Changes nothing, and asks no manager.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.trust.regular import open_regular

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.interop.importers import Draft

KINDS = (
    "apache",
    "mod_wsgi-express",
    "gunicorn",
    "uwsgi",
    "supervisor",
    "systemd",
    "gravity",
    "unit",
)  # loaded when one is wanted
_PATH = click.Path(path_type=Path, readable=False)


@click.command("import", cls=Verb)
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.argument("files", metavar="[FILE…]", nargs=-1, type=_PATH)
@click.option("--command", "line", default="", metavar="TEXT", help="A command line, instead of a file.")
@click.option("--app", default="", metavar="MODULE:CALLABLE", help="The application, where the files do not name it.")
@click.option("-D", "--define", "defined", multiple=True, metavar="NAME[=VALUE]", help="As Apache's -D; a variable.")
@click.option("--python", type=click.Path(), help="The interpreter that runs a gunicorn.conf.py.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to stdout.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.pass_obj
def command(
    options: Globals,
    kind: str,
    files: tuple[Path, ...],
    line: str,
    app: str,
    defined: tuple[str, ...],
    python: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Write a commented groups.toml from the configuration of another program; on stderr what was not kept.

    \b
    apache             httpd.conf or sites of it, with what they include
    mod_wsgi-express   its command line: --command, or a script or Dockerfile
    gunicorn           gunicorn.conf.py, a Procfile or script, or --command
    uwsgi              ini, xml, yaml, json, a directory of an Emperor, or --command
    supervisor         programs that run gunicorn, uwsgi or mod_wsgi-express
    systemd            units that do, with their .socket units
    gravity            Galaxy's galaxy.yml
    unit               the JSON of NGINX Unit

    What is written passes `wsgigroups validate --offline`. A gunicorn.conf.py is a program: it is run, in a process of
    its own; by root as the owner of the file.
    """
    from wsgigroups.host.foreign_files import ForeignFiles
    from wsgigroups.interop.importers import ImportRequest, import_files, report, write

    if not files and not line:
        raise click.UsageError("name a file, or give a command line with --command")
    for path in files:
        _refuse_unreadable(path)
    directory = os.getcwd()
    variables = {name: value for name, _, value in (text.partition("=") for text in map(_as_text, defined))}
    paths = tuple(os.path.abspath(path) for path in files)
    request = ImportRequest(paths, _as_text(line), variables, _as_text(app), directory)
    draft = import_files(
        kind, request, ForeignFiles(python, paths), str(output.parent.absolute()) if output else directory
    )
    _refuse_nothing(draft, kind)
    text = write(draft, kind, tuple(map(str, files)) or (line,))
    if output is None:
        click.echo(text.encode("utf-8", "surrogateescape"), nl=False)
    else:
        from wsgigroups.cli.new_files import write_new

        secret = "environment = " in text or "environment." in text
        write_new(output, text, force=force, mode=0o600 if secret else 0o644)
    if options.verbosity >= 0:
        click.echo(report(draft), err=True)
        if output is not None:
            click.echo(f"wrote {output}; next: wsgigroups validate {output}", err=True)


def _as_text(word: str) -> str:
    """A word of the command line without what is not UTF-8 in it, as texts of files are read."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _refuse_unreadable(path: Path) -> None:
    """Say why a file that a person named cannot be read, by the name that the person has given."""
    try:
        os.close(
            os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY) if path.is_dir() else open_regular(str(path))
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WsgigroupsError(f"cannot read {path}: {reason}", exit_code=ExitCode.USAGE) from None


def _refuse_nothing(draft: Draft, kind: str) -> None:
    """A file without groups helps nobody: what was found goes to people as the reason."""
    if any(draft.groups()):
        return
    hint = "it sets nothing that is known; is it one of another kind?"
    if draft.gaps:
        from wsgigroups.interop.importers import report

        click.echo(report(draft), err=True)
        hint = "the lines above say what became of what was there"
    raise WsgigroupsError(
        f"cannot find a WSGI application in what {kind} was given", hint=hint, exit_code=ExitCode.USAGE
    )
