"""`wsgigroups render kubernetes FILE… -o DIR`: a Kustomize base.

Runs in the user's process. Reads nothing but the configuration: no environment file, and no variable of the environment
gets into what is rendered by way of `environment`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import running
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Loaded
    from wsgigroups.interop.renderers.kubernetes import KubernetesVersion

DEFAULT_VERSION = "1.34"
_UNSERVED = {"WG0418"}  # errors about the front of one machine


@dataclass(frozen=True, slots=True)
class ClusterOptionsGiven:
    """What the command line says for this form alone."""

    group: str | None
    version: str | None
    ingress: bool

    @property
    def any(self) -> bool:
        """Whether something was given."""
        return self.group is not None or self.version is not None or self.ingress


def render_base(
    options: Globals,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    directory: Path | None,
    given: ClusterOptionsGiven,
    *,
    check: bool,
) -> int:
    """Write the files, or compare them; return the exit code. Raises WsgigroupsError for what cannot be rendered."""
    from wsgigroups.cli import rendered_files
    from wsgigroups.cli.output import say
    from wsgigroups.interop.renderers.kubernetes import ClusterRequest, covered, kubernetes_base
    from wsgigroups.interop.renderers.kubernetes.yaml_text import HEAD

    if directory is None:
        raise click.UsageError("a cluster takes several files: name a directory with -o")
    version = _version(given.version or DEFAULT_VERSION)
    loaded = _load(options, files, profiles, given)
    configuration = loaded.configuration
    if configuration is None:
        raise WsgigroupsError("cannot render this configuration for a cluster", exit_code=ExitCode.USAGE)
    below = loaded.sources[0].directory if loaded.sources else ""
    request = ClusterRequest(given.group or "", given.ingress, version, below)
    wanted = kubernetes_base(configuration, request)
    texts, mark = rendered_files.placed(wanted, directory, alone=False), HEAD.rstrip("\n")
    if check:
        return rendered_files.check(texts, covered, mark)
    for path in rendered_files.foreign(texts, mark):
        raise WsgigroupsError(
            f"cannot write {path}: that file was not rendered by wsgigroups",
            hint="name another directory, or move the file away",
        )
    rendered_files.write(texts, directory)
    for path in rendered_files.left_over(texts, mark):
        say(f"{path} is no longer rendered: remove it", options.verbosity)
    return int(ExitCode.DONE)


def _load(options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...], given: ClusterOptionsGiven) -> Loaded:
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.config.loader import load
    from wsgigroups.interop.renderers.kubernetes import against_cluster

    names = (given.group,) if given.group is not None else ()
    loaded = load(
        files or running(options),
        profiles=profiles,
        settle=True,
        trust=False,
        unless=_UNSERVED,
        check=against_cluster(names, ingress=given.ingress),
        verbatim=("environment",),
    )
    if loaded.parts is not None and names and not loaded.errors:
        known = {*loaded.parts.groups, *(name for site in loaded.parts.sites.values() for name in site.groups)}
        if given.group not in known:
            raise WsgigroupsError(
                f"cannot render group {given.group!r}: there is no such group", exit_code=ExitCode.NO_SUCH_GROUP
            )
    show_diagnostics(loaded, options.color)
    return loaded


def _version(text: str) -> KubernetesVersion:
    from wsgigroups.interop.renderers.kubernetes import OLDEST, KubernetesVersion

    match = re.fullmatch(r"v?([0-9]{1,3})\.([0-9]{1,3})(?:\..*)?", text)
    version = KubernetesVersion(int(match[1]), int(match[2])) if match else None
    if version is None or (version.major, version.minor) < (OLDEST.major, OLDEST.minor):
        raise click.UsageError(f"--kubernetes-version {text!r} is not one from {OLDEST.major}.{OLDEST.minor} on")
    return version
