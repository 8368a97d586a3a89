"""A gateway's target with other certificates in it, and nothing else changed. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.gateway.reading import read_routes
from wsgigroups.gateway.texts import certificate_text
from wsgigroups.plan.routing import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.plan.routing import CertificateTarget, RoutingTarget


def renewed(target: GroupTarget, certificates: Mapping[str, CertificateTarget]) -> GroupTarget:
    """Return the target of a gateway with these in the place of those with the names. Raises ValueError."""
    routes = read_routes(_routing_of(target))
    of_sites = {key: new for key, site in routes.sites.items() if (new := certificates.get(site.certificate))}
    return with_certificates(target, of_sites)


def with_certificates(target: GroupTarget, certificates: Mapping[str, CertificateTarget]) -> GroupTarget:
    """Return the target of a gateway whose sites have these, by their keys. Raises ValueError."""
    routing = _routing_of(target)
    routes, options = read_routes(routing), dict(target.options)
    ordered = {key for item in (routing.authority.orders if routing.authority else ()) for key in item.sites}
    sites = dict(routes.sites)
    for key, new in certificates.items():
        sites[key] = replace(sites[key], certificate=new.name)
        options[f"sites.{key}.certificate"] = certificate_text(new, by_authority=key in ordered)
    text = replace(routes, sites=sites).to_text()
    used = {site.certificate for site in sites.values()}
    every = [*routing.certificates, *certificates.values()]
    present = {item.name: item for item in every if item.name in used}
    after = replace(
        routing,
        text=text,
        certificates=tuple(present[name] for name in sorted(present)),
        number=numbered(text, routing.directories, routing.access_logs, routing.nginx),
    )
    return replace(target, routing=after, options=options)


def _routing_of(target: GroupTarget) -> RoutingTarget:
    if target.routing is None:
        raise ValueError("the target has no routes")
    return target.routing
