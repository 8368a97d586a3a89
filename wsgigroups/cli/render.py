"""`wsgigroups render FORM FILE…`: what the files say as the file of another program.

Runs in the user's process. Changes nothing, and asks no manager.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILES, PROFILE, running
from wsgigroups.cli.render_kubernetes import ClusterOptionsGiven, render_base
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Configuration

FORMS = ("nginx", "apache", "alerts", "dashboard")  # names of renderers, which are loaded when one is wanted
CLUSTER = "kubernetes"  # several files, by a command of its own
_FOREIGN = {"WG0418"}  # errors about who is to serve, which is settled where this is asked for
_ANSWERS_WITHIN_S = 10
_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@click.command("render", cls=Verb)
@click.argument("form", type=click.Choice((*FORMS, CLUSTER)))
@FILES
@PROFILE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write there, not to stdout.")
@click.option("--program", type=click.Path(), help="The nginx that is asked what it was built with.")
@click.option("--check", is_flag=True, help="kubernetes: write nothing, say what is stale, and fail if anything is.")
@click.option("--group", metavar="GROUP", help="kubernetes: this group alone.")
@click.option("--kubernetes-version", "version", metavar="1.N", help="kubernetes: the cluster's, 1.34 without it.")
@click.option("--ingress", is_flag=True, help="kubernetes: an Ingress for each site, in place of routes of a Gateway.")
@click.pass_obj
def command(
    options: Globals,
    form: str,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    output: Path | None,
    program: str | None,
    check: bool,
    group: str | None,
    version: str | None,
    ingress: bool,
) -> int:
    """Print what the configuration amounts to for another program.

    nginx: an nginx.conf for the sites, to be started by you. It asks groups at their UNIX sockets: those in `listen`,
    or else those of the gateway.

    apache: virtual hosts and WSGIDaemonProcess lines for an Apache with mod_wsgi, which then serves the applications by
    itself. At its top stands what mod_wsgi has nothing for.

    alerts: rules for Prometheus, with what to do. dashboard: one for Grafana, to be imported there.

    kubernetes: a Kustomize base in the directory OUTPUT, a file for each object. What a cluster cannot do of it is
    said, with its place in the file.
    """
    given = ClusterOptionsGiven(group, version, ingress)
    if form == CLUSTER:
        return render_base(options, files, profiles, output, given, check=check)
    if check or given.any:
        raise click.UsageError("--check, --group, --kubernetes-version and --ingress belong to render kubernetes")
    from wsgigroups.interop.renderers import RENDERERS, RenderContext

    configuration = _load(options, files, profiles)
    renderer = RENDERERS[form]
    user, group = _person(configuration)
    pages = _pages(configuration) if renderer.pages else {}
    context = RenderContext(options.run_dir, pages, user, group, _said(renderer.asks, program))
    text = renderer.render(configuration, context).encode("utf-8", "surrogateescape")
    if output is None:
        click.echo(text, nl=False)
        return int(ExitCode.DONE)
    try:
        output.write_bytes(text)
    except OSError as error:
        raise WsgigroupsError(f"cannot write {output}: {error.strerror}") from None
    return int(ExitCode.DONE)


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
