"""How requests from outside reach the groups of a site: Gateway API, or Ingress. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from wsgigroups.config.cluster_kinds import is_cluster_name
from wsgigroups.config.sites import group_of, server_name
from wsgigroups.interop.renderers.kubernetes.beside import SERVICE_PORT
from wsgigroups.interop.renderers.kubernetes.names import object_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgigroups.config import Site
    from wsgigroups.interop.renderers.kubernetes.workload import Workload

_MOST = 16  # hostnames, and rules, of one HTTPRoute (its schema)
_LABELS = {"app.kubernetes.io/managed-by": "wsgigroups"}
_HTTP, _HTTPS = "http", "https"  # what the listeners of the Gateway are called

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class SiteRoutes:
    """A site, and the groups of it that are rendered. name: of its objects."""

    name: str
    hosts: tuple[str, ...]
    paths: tuple[tuple[str, str], ...]  # URL prefix and name of the Service, longest first
    redirects: bool


def site_routes(key: str, site: Site, workloads: Mapping[str, Workload], *, partly: str = "") -> SiteRoutes | None:
    """Return what leads to these groups; None where nothing does. partly: the one group that is rendered alone."""
    found = {
        mount.path: workloads[name].name
        for mount in reversed(site.mounts)  # the first of two at one path counts
        if (name := group_of(mount, site) or "") in workloads
    }
    if not found:
        return None
    name = key.lower() if is_cluster_name(key.lower()) and len(key) <= _LONGEST else object_name(key)
    return SiteRoutes(
        name=f"{object_name(partly)}-{name}" if partly else name,
        hosts=tuple(dict.fromkeys((server_name(key, site), *site.aliases))),
        paths=tuple(sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))),
        redirects=site.redirect_to_https or site.http_redirect,
    )


_LONGEST = 180  # of 253: parts stand before and behind it


def http_routes(routes: SiteRoutes, gateway: str) -> Iterator[dict[str, Any]]:
    """HTTPRoutes (gateway.networking.k8s.io/v1): one, and another one that redirects; more of both for many names."""
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"name": name, "port": SERVICE_PORT}],
        }
        for path, name in routes.paths
    ]
    parent = _parent(gateway)
    if routes.redirects:
        redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": _HTTPS, "statusCode": 301}}
        yield from _split(
            f"{routes.name}-redirect", {**parent, "sectionName": _HTTP}, routes, [{"filters": [redirect]}]
        )
        parent = {**parent, "sectionName": _HTTPS}
    yield from _split(routes.name, parent, routes, rules)


def ingress(routes: SiteRoutes, ingress_class: str) -> dict[str, Any]:
    """An Ingress (networking.k8s.io/v1)."""
    paths = [
        {
            "path": path,
            "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": SERVICE_PORT}}},
        }
        for path, name in routes.paths
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": routes.name, "labels": _LABELS},
        "spec": {
            **({"ingressClassName": ingress_class} if ingress_class else {}),
            "rules": [{"host": host, "http": {"paths": paths}} for host in routes.hosts],
        },
    }


def _parent(gateway: str) -> dict[str, Any]:
    namespace, _slash, name = gateway.rpartition("/")
    return {**({"namespace": namespace} if namespace else {}), "name": name}


def _split(
    name: str, parent: dict[str, Any], routes: SiteRoutes, rules: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    number = 0
    for hosts in _chunks(routes.hosts):
        for some in _chunks(rules):
            number += 1
            yield {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {"name": name if number == 1 else f"{name}-{number}", "labels": _LABELS},
                "spec": {"parentRefs": [parent], "hostnames": list(hosts), "rules": list(some)},
            }


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _MOST):
        yield items[start : start + _MOST]
