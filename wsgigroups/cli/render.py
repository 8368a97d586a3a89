"""`wsgigroups render FORM FILE…`: what the files say as the file of another program.

Runs in the user's process. Changes nothing, and asks no manager.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILES, PROFILE, running
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Configuration

FORMS = ("nginx", "apache", "ansible", "alerts", "dashboard")  # names of renderers, which are loaded when one is wanted
_FOREIGN = {"WG0418"}  # errors about who is to serve, which is settled where this is asked for
_ANSWERS_WITHIN_S = 10
_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@click.command("render", cls=Verb)
@click.argument("form", type=click.Choice(FORMS))
@FILES
@PROFILE
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write there, not to stdout; ansible: into that directory."
)
@click.option("--program", type=click.Path(), help="The nginx that is asked what it was built with.")
@click.pass_obj
def command(
    options: Globals,
    form: str,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    output: Path | None,
    program: str | None,
) -> None:
    """Print what the configuration amounts to for another program.

    nginx: an nginx.conf for the sites, to be started by you. It asks groups at their UNIX sockets: those in `listen`,
    or else those of the gateway.

    apache: virtual hosts and WSGIDaemonProcess lines for an Apache with mod_wsgi, which then serves the applications by
    itself. At its top stands what mod_wsgi has nothing for.

    ansible: rollout.yml and a role, which bring a release to machines, a few at a time, and back where it fails.

    alerts: rules for Prometheus, with what to do. dashboard: one for Grafana, to be imported there.
    """
    from wsgigroups.interop.renderers import RENDERERS, RenderContext

    configuration = _load(options, files, profiles)
    renderer = RENDERERS[form]
    user, group = _person(configuration)
    pages = _pages(configuration) if renderer.pages else {}
    context = RenderContext(options.run_dir, pages, user, group, _said(renderer.asks, program))
    found = renderer.render(configuration, context)
    if output is None:
        if not isinstance(found, str):
            raise click.UsageError(f"{form} has several files: -o names the directory for them.")
        click.echo(found.encode("utf-8", "surrogateescape"), nl=False)
        return
    if isinstance(found, str):
        _write(output, found)
        return
    for name, text in found.items():
        _write(output / name, text, parents=True)


def _write(path: Path, text: str, *, parents: bool = False) -> None:
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise WsgigroupsError(f"cannot write {path}: {error.strerror}") from None


def _load(options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...]) -> Configuration:
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.config.loader import load

    result = load(files or running(options), profiles=profiles, settle=True, trust=False, unless=_FOREIGN)
    show_diagnostics(result, options.color)
    if result.configuration is None:
        raise WsgigroupsError("cannot render a configuration that has errors", exit_code=ExitCode.USAGE)
    return result.configuration


def _pages(configuration: Configuration) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, site in configuration.sites.items():
        for path in site.error_pages.values():
            try:
                found[str(path)] = Path(path).read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                raise WsgigroupsError(f"cannot use the page {path} of site {name!r}: {why}") from None
    return found


def _person(configuration: Configuration) -> tuple[str, str]:
    """Return who the gateway is to be: user and primary group, "" for what nobody names and this host does not know."""
    import grp
    import pwd

    from wsgigroups.targets.gateway import gateway_person

    user, group = gateway_person(configuration)
    if user and not group:
        try:
            group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
        except KeyError:
            group = None
    return user or "", group or ""


def _said(asks: tuple[str, ...], program: str | None) -> str:
    """Return what the program says of itself, "" where it is not here."""
    import shutil
    import subprocess

    if not asks:
        return ""
    found = program or shutil.which(asks[0], path=_PATH)
    if found is None:
        return ""
    try:
        answer = subprocess.run(
            [found, *asks[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWERS_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if program is None:
            return ""
        raise WsgigroupsError(f"cannot ask {program} what it was built with: {error}") from None
    return (answer.stdout + answer.stderr).decode("utf-8", "replace")
