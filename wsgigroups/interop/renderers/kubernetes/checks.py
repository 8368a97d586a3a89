"""What a cluster cannot do of what a configuration says, and what it still has to be told. Pure.

Findings are for `config.load`: `wsgigroups render kubernetes` shows them with their places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.sites import group_of
from wsgigroups.config.units import format_duration
from wsgigroups.interop.renderers.kubernetes.groups_file import OF_ANOTHER_MACHINE
from wsgigroups.interop.renderers.kubernetes.workload import (
    listener_of,
    most_processes,
    numeric_user,
    workload_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from wsgigroups.config import Group, Site
    from wsgigroups.config.build import Parts
    from wsgigroups.config.models.site import Mount
    from wsgigroups.config.source import Path

_NEEDS_ROOT = ("private-tmp", "private-devices", "inaccessible-paths", "protect-home", "protect-system", "protect-proc")
_OF_THE_FRONT = {
    "certificate": "TLS ends at the cluster's gateway, which has the certificates",
    "certificate-key": "TLS ends at the cluster's gateway, which has the certificates",
    "tls-minimum": "TLS ends at the cluster's gateway",
    "hsts": "TLS ends at the cluster's gateway",
    "access-log": "the cluster's gateway has its own; access-log of the group logs what reaches it",
    "error-log": "everything is logged to standard output",
    "error-pages": "the cluster's gateway answers in its own name",
    "proxy-protocol": "the cluster's gateway is asked by clients",
    "index": "there are no static files",
}


def against_cluster(names: Collection[str], *, ingress: bool) -> Callable[[Parts], list[Finding]]:
    """Return the check for `config.load`. names: the groups that are rendered, () for all."""

    def check(parts: Parts) -> list[Finding]:
        found = [finding for path, group in _groups(parts, names) for finding in _of_group(path, group, parts)]
        for key, site in parts.sites.items():
            if any(_rendered(mount, site, names) for mount in site.mounts):
                found += _of_site(key, site, parts, ingress=ingress)
        return found

    return check


def _groups(parts: Parts, names: Collection[str]) -> Iterator[tuple[Path, Group]]:
    for name, group in parts.groups.items():
        if not names or name in names:
            yield ("groups", name), group
    for key, site in parts.sites.items():
        for name, group in site.groups.items():
            if not names or name in names:
                yield ("sites", key, "groups", name), group


def _rendered(mount: Mount, site: Site, names: Collection[str]) -> bool:
    name = group_of(mount, site)
    return name is not None and (not names or name in names)


def _of_group(path: Path, group: Group, parts: Parts) -> Iterator[Finding]:
    yield from _known(path, group, parts)
    yield from _possible(path, group, parts)
    yield from _ignored(path, group)
    yield from _doubtful(path, group)
    yield from _applications(path, group, parts.sites)


def _known(path: Path, group: Group, parts: Parts) -> Iterator[Finding]:
    """What cannot be guessed."""
    workload = workload_of(str(path[-1]), group, parts.kubernetes, parts.server)
    own: Path = (*path, "kubernetes")
    if not workload.image:
        yield Finding("WG0701", path, "no image is named for this group", "set image in [kubernetes]", at_key=True)
    if not workload.scales:
        return
    where: Path = (*own, "autoscale") if group.kubernetes.is_set("autoscale") else ("kubernetes", "autoscale")
    if not workload.replicas_max:
        hint = "set replicas-max beside it"
        yield Finding("WG0701", where, f"group {path[-1]!r} has no most number of pods to be scaled to", hint)
    elif workload.replicas_max < workload.replicas:
        message = f"group {path[-1]!r} has at least {workload.replicas} pods and at most {workload.replicas_max}"
        yield Finding("WG0702", where, message, "set replicas-max to replicas or more")
    if workload.autoscale == "keda" and not parts.kubernetes.prometheus:
        yield Finding("WG0701", where, "KEDA asks Prometheus, and none is named", "set prometheus in [kubernetes]")
    if group.processes_max is not None or group.processes_min is not None:
        option = "processes-max" if group.processes_max is not None else "processes-min"
        message = "both the pods and the processes in them follow the load, each without the other"
        yield Finding("WG0703", (*path, option), message, "leave processes-min and processes-max to one machine")


def _possible(path: Path, group: Group, parts: Parts) -> Iterator[Finding]:
    if group.chroot is not None:
        hint = "the image is the root directory: leave chroot out"
        yield Finding("WG0702", (*path, "chroot"), "a pod without privileges has no chroot", hint)
    if group.processes_min == 0:
        message = "a group that sleeps has no process, and its pod would never be ready"
        yield Finding("WG0702", (*path, "processes-min"), message, "set processes-min to 1 or more")
    if not group.shutdown_timeout:
        message = "a pod is killed after its grace period: without a limit to shutting down there is none to choose"
        yield Finding("WG0702", (*path, "shutdown-timeout"), message, "set shutdown-timeout")
    if numeric_user(group, parts.kubernetes, parts.server) is None:
        where: Path = (*path, "user") if group.user else ("server", "user")
        name = group.user or parts.server.user
        if name:
            message = f'"{name}" is the name of a user, and the kubelet only knows numbers'
            yield Finding("WG0702", where, message, "set run-as-user in [kubernetes]")
    mounted = any(_rendered(mount, site, (str(path[-1]),)) for site in parts.sites.values() for mount in site.mounts)
    for place, text in enumerate(group.listen):
        if parse(text).kind == "unix":
            if not mounted and listener_of(group) is None:
                hint = 'listen on "0.0.0.0:8000", too'
                yield Finding("WG0702", (*path, "listen", place), "no other pod reaches a UNIX socket", hint)
            else:
                yield Finding("WG0703", (*path, "listen", place), "no other pod reaches a UNIX socket")
        elif parse(text) != listener_of(group):
            yield Finding("WG0703", (*path, "listen", place), "a group has one address in a cluster, the first of TCP")


def _ignored(path: Path, group: Group) -> Iterator[Finding]:
    for name in sorted(OF_ANOTHER_MACHINE - {"user"}):
        if group.is_set(name):
            yield Finding("WG0703", (*path, name), f"{name} needs a manager that is root, or that owns its cgroup")
    for name in _NEEDS_ROOT:
        if group.is_set(name):
            yield Finding("WG0703", (*path, name), f"{name} needs mounts, which a pod without privileges cannot make")
    if group.cpu_priority < 0:
        yield Finding("WG0703", (*path, "cpu-priority"), "a negative priority needs a manager that is root")
    if group.error_log is not None:
        yield Finding("WG0703", (*path, "error-log"), "everything is logged to standard output")


def _doubtful(path: Path, group: Group) -> Iterator[Finding]:
    if not most_processes(group):
        message = "auto counts the processors of the node, whatever the pod may use of them"
        yield Finding("WG0703", (*path, "processes"), message, "write how many processes a pod has")
    elif not group.memory_limit:
        message = "without memory-limit the pod has no limit: it may take the memory of its node"
        yield Finding("WG0704", path, message, "set memory-limit", at_key=True)
    if group.request_timeout > group.shutdown_timeout > 0:
        message = (
            f"a request may take {format_duration(group.request_timeout)}, and one that runs when a pod leaves has "
            f"{format_duration(group.shutdown_timeout)}"
        )
        yield Finding("WG0705", (*path, "shutdown-timeout"), message, "set shutdown-timeout to request-timeout or more")


def _applications(path: Path, group: Group, sites: Mapping[str, Site]) -> Iterator[Finding]:
    """A pod goes by paths alone: the host decides nothing behind the cluster's gateway."""
    first: dict[str, tuple[Path, tuple[object, ...]]] = {}
    for key, site in sites.items():
        for place, mount in enumerate(site.mounts):
            if group_of(mount, site) != path[-1]:
                continue
            here: Path = ("sites", key, "mounts", place)
            wanted = (mount.app, mount.script, mount.callable_object)
            if mount.app is None and mount.script is None:
                wanted = (group.app, group.script, group.callable_object)
            there, known = first.setdefault(mount.path, (here, wanted))
            if known != wanted:
                message = f"{mount.path} of this group is another application here, and a pod does not look at the host"
                related = ((there, "the other one"),)
                yield Finding("WG0702", here, message, "give one of them a group of its own", related, at_key=True)


def _of_site(key: str, site: Site, parts: Parts, *, ingress: bool) -> Iterator[Finding]:
    here: Path = ("sites", key)
    if not site.listen:
        return
    if not ingress and not parts.kubernetes.gateway:
        hint = "set gateway in [kubernetes], or give --ingress"
        yield Finding("WG0701", here, "no Gateway is named that its routes could be attached to", hint, at_key=True)
    for place, static in enumerate(site.static):
        message = f"nobody answers for the files below {static.path}"
        hint = "have the application serve them (WhiteNoise), or another server"
        yield Finding("WG0703", (*here, "static", place), message, hint, at_key=True)
    for name, why in _OF_THE_FRONT.items():
        if site.is_set(name):
            yield Finding("WG0703", (*here, name), f"{name} has no effect in a cluster: {why}")
    redirect = next((name for name in ("redirect-to-https", "http-redirect") if getattr(site, _attribute(name))), None)
    if ingress and redirect:
        hint = "each controller has an annotation of its own for that: put it into an overlay"
        yield Finding("WG0703", (*here, redirect), "an Ingress cannot redirect", hint)
    yield from _proxies(here, site, parts)


def _proxies(here: Path, site: Site, parts: Parts) -> Iterator[Finding]:
    groups = {**parts.groups, **site.groups}
    for name in dict.fromkeys(group_of(mount, site) for mount in site.mounts):
        group = groups.get(name or "")
        if group is not None and not group.trusted_proxies:
            message = f"group {name!r} believes no proxy: it has the cluster's gateway for the client, and http"
            hint = "set its trusted-proxies to the network of the pods"
            yield Finding("WG0706", here, message, hint, at_key=True)


def _attribute(name: str) -> str:
    return name.replace("-", "_")
