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
    from wsgigroups.interop.renderers import ManagerStart
    from wsgigroups.trust.helpers import Account

# names of renderers, which are loaded when one is wanted
FORMS = (
    "nginx", "apache", "haproxy", "caddy", "systemd", "systemd-socket", "logrotate", "containerfile", "ansible",
    "alerts", "dashboard",
)  # fmt: skip
CLUSTER = "kubernetes"  # several files, by a module of its own
_FOREIGN = {"WG0418"}  # errors about who is to serve, which is settled where this is asked for
_WITH_PROGRAM = ("nginx", "systemd", "logrotate")  # forms that --program is for
_ANSWERS_WITHIN_S = 10
_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@click.command("render", cls=Verb)
@click.argument("form", metavar="FORM", type=click.Choice((*FORMS, CLUSTER)))
@FILES
@PROFILE
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write there, a file or a directory; not to stdout."
)
@click.option(
    "--check", is_flag=True, help="Write nothing: say which files of --output are stale. Exit code 1 for some."
)
@click.option(
    "--program", type=click.Path(), help="nginx: the one that is asked; systemd, logrotate: where wsgigroups is."
)
@click.option("--base", metavar="IMAGE", help="containerfile: the image to build on, by digest: NAME@sha256:…")
@click.option("--allow-tag", is_flag=True, help="containerfile: take a base without a digest.")
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
    check: bool,
    program: str | None,
    base: str | None,
    allow_tag: bool,
    group: str | None,
    version: str | None,
    ingress: bool,
) -> int:
    """Print what the configuration amounts to for another program.

    nginx: an nginx.conf for the sites, to be started by you. It asks groups at their UNIX sockets: those in `listen`,
    or else those of the gateway.

    apache: virtual hosts and WSGIDaemonProcess lines for an Apache with mod_wsgi, which then serves the applications by
    itself. At its top stands what mod_wsgi has nothing for.

    haproxy, caddy: the sites for one of these, which asks groups over HTTP where they listen.

    systemd: a unit for the manager. systemd-socket: socket units for all addresses. logrotate: rotation of all logs.
    containerfile: an image with the groups.

    ansible: rollout.yml and a role, which bring a release to machines, a few at a time, and back where it fails.

    alerts: rules for Prometheus, with what to do. dashboard: one for Grafana, to be imported there.

    kubernetes: a Kustomize base in the directory OUTPUT, a file for each object. What a cluster cannot do of it is
    said, with its place in the file.
    """
    from wsgigroups.cli import rendered_files
    from wsgigroups.cli.output import say
    from wsgigroups.interop.renderers import RENDERERS, RenderContext

    if check and output is None:
        raise click.UsageError("--check compares with what is on disk: name that with --output.")
    if program and form not in _WITH_PROGRAM:
        raise click.UsageError(f"--program is for {', '.join(_WITH_PROGRAM)}.")
    image = _base(form, base, allow_tag)
    given = ClusterOptionsGiven(group, version, ingress)
    if form == CLUSTER:
        return render_base(options, files, profiles, output, given, check=check)
    if given.any:
        raise click.UsageError("--group, --kubernetes-version and --ingress are for kubernetes.")
    configuration = _load(options, files, profiles)
    renderer = RENDERERS[form]
    user, primary = _person(configuration)
    context = RenderContext(
        options.run_dir,
        _pages(configuration, user) if renderer.pages else {},
        user,
        primary,
        _said(renderer.asks, program),
        _start(options, files, profiles, None if renderer.asks else program),
        image,
    )
    found = renderer.files(configuration, context)
    if output is None:
        rendered_files.show(found)
        return int(ExitCode.DONE)
    texts = rendered_files.placed(found, output, alone=bool(renderer.file))
    if check:
        return rendered_files.check(texts, renderer.covered, renderer.mark)
    rendered_files.write(texts, None if renderer.file else output)
    for path in rendered_files.left_over(texts, renderer.mark):
        say(f"{path} is no longer rendered: remove it", options.verbosity)
    return int(ExitCode.DONE)


def _base(form: str, base: str | None, allow_tag: bool) -> str:
    if form != "containerfile":
        if base or allow_tag:
            raise click.UsageError("--base and --allow-tag are for containerfile.")
        return ""
    if base is None:
        raise click.UsageError("containerfile needs --base: the image to build on, such as python:3.13-slim@sha256:….")
    if not allow_tag and "@" not in base:
        raise click.UsageError(
            f"{base} is another image tomorrow: name its digest (skopeo inspect, podman pull), or add --allow-tag."
        )
    return base


def _start(options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...], program: str | None) -> ManagerStart:
    """Return how the manager is started on its host: with the files and directories that were named here."""
    import sys

    from wsgigroups.cli.directories import ROOT_LOG_DIR, absolute
    from wsgigroups.interop.renderers import ManagerStart

    named = {
        "--run-dir": options.named_run_dir,
        "--state-dir": options.named_state_dir,
        "--log-dir": options.named_log_dir,
    }
    places = {name: str(absolute(path)) for name, path in named.items() if path is not None}
    return ManagerStart(
        program=program or str(Path(sys.executable).with_name("wsgigroups")),
        options=tuple(word for item in places.items() for word in item),
        files=tuple(str(absolute(path)) for path in files),
        profiles=profiles,
        directory=str(absolute(Path())),
        log_dir=places.get("--log-dir", ROOT_LOG_DIR),
        own_dirs=tuple(places.values()),
    )


def _load(options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...]) -> Configuration:
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.config.loader import load

    result = load(files or running(options), profiles=profiles, settle=True, trust=False, unless=_FOREIGN)
    show_diagnostics(result, options.color)
    if result.configuration is None:
        raise WsgigroupsError("cannot render a configuration that has errors", exit_code=ExitCode.USAGE)
    return result.configuration


def _pages(configuration: Configuration, user: str) -> dict[str, str]:
    """Return the pages by their paths. user: who serves them; a path that others can change is read as that user."""
    from wsgigroups.trust.certificates import MAXIMUM_PAGE_BYTES
    from wsgigroups.trust.helpers import read_file

    account = _reader(user)
    found: dict[str, str] = {}
    for name, site in configuration.sites.items():
        for path in site.error_pages.values():
            try:
                found[str(path)] = read_file(str(path), account, MAXIMUM_PAGE_BYTES).decode()
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                raise WsgigroupsError(f"cannot use the page {path} of site {name!r}: {why}") from None
    return found


def _reader(user: str) -> Account:
    """Whoever serves pages, as far as this host knows; else a user who owns nothing."""
    import pwd

    from wsgigroups.trust.helpers import STRANGER, Account

    try:
        known = pwd.getpwuid(int(user[1:])) if user.startswith("#") else pwd.getpwnam(user)
    except (KeyError, ValueError):
        return STRANGER
    return Account(known.pw_uid, known.pw_gid, (known.pw_gid,), known.pw_name)


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
