"""The sites of a configuration as a front goes by them that somebody else starts. Pure.

Such a front asks groups over HTTP at addresses that these listen on by themselves. A group then finds its mounts by the
path alone, so two sites cannot have different applications of one group at one path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import Address, parse
from wsgigroups.config.sites import group_of, linked_groups
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.mounted import application_at, applications_of, mounts_of
from wsgigroups.gateway.reading import read_routes
from wsgigroups.gateway.routing import HostOfSites, routing_of, served_sites
from wsgigroups.interop.renderers.deadlines import RequestDeadlines, request_deadlines
from wsgigroups.plan.routing import CertificateTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config import Configuration, Group
    from wsgigroups.interop.renderers.context import RenderContext
    from wsgigroups.interop.renderers.unsaid import Unsaid
    from wsgigroups.plan.routing import RoutingTarget
    from wsgigroups.runtime.wire.routes import Routes

# What a group believes of a front, so no client may say it: fields with these names, and those that begin so. All of
# them are in runtime/protocol/names.py, where a daemon drops them when somebody else says them.
FORWARDING = (
    "CF-Connecting-IP", "Client-IP", "Forwarded", "Front-End-HTTPS", "Fastly-Client-IP", "HTTPS", "Remote-Addr",
    "Remote-User", "Script-Name", "True-Client-IP", "WSGIGROUPS-Queue-Start", "X-Client-IP", "X-Cluster-Client-IP",
    "X-Forwarded", "X-HTTPS", "X-Original-URL", "X-Queue-Start", "X-Real-IP", "X-Remote-Addr", "X-Remote-User",
    "X-Request-ID", "X-Request-Start", "X-Rewrite-URL", "X-Scheme", "X-Script-Name", "X-URL-Scheme",
)  # fmt: skip
FORWARDING_PREFIXES = ("X-Forwarded-", "X-Original-", "X-SSL-", "SSL-")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (where somebody who listens everywhere is asked)


@dataclass(frozen=True, slots=True)
class SitesOfFront:
    """What is asked where, and for how long. addresses, deadlines: by group; certificates: chain and key, by site."""

    routes: Routes
    routing: RoutingTarget
    groups: Mapping[str, Group]
    certificates: Mapping[str, tuple[str, str]]
    deadlines: Mapping[str, RequestDeadlines]
    addresses: Mapping[str, Address]


def sites_of_front(configuration: Configuration, context: RenderContext) -> SitesOfFront:
    """Return the sites. addresses has the groups that listen by themselves alone."""
    sites, groups, mounts = served_sites(configuration), configuration.all_groups(), mounts_of(configuration)
    names = sorted(name for name in linked_groups(configuration.sites) if name in groups)
    certificates = {
        key: CertificateTarget(key, str(site.certificate), str(site.certificate_key), 0.0)
        for key, site in sites.items()
        if site.certificate is not None and site.certificate_key is not None
    }
    pages = [str(path) for site in sites.values() for path in site.error_pages.values()]
    host = HostOfSites(
        applications={name: applications_of(groups[name], mounts.get(name, ()), linked=True) for name in names},
        uids={},
        certificates=certificates,
        pages=dict.fromkeys(pages, "") | dict(context.pages),  # only who serves them itself has been told
        places={},
        root=str(context.run_dir / "gateway"),
    )
    routing = routing_of(configuration, host)
    found = {name: address_of(groups[name]) for name in names}
    return SitesOfFront(
        routes=read_routes(routing),
        routing=routing,
        groups={name: groups[name] for name in names},
        certificates={key: (item.certificate, item.key) for key, item in certificates.items()},
        deadlines={name: request_deadlines(groups[name], configuration.server) for name in names},
        addresses={name: address for name, address in found.items() if address is not None},
    )


def address_of(group: Group) -> Address | None:
    """Return where a front on the same machine asks a group: its UNIX socket, or else its first port."""
    addresses = [parse(text) for text in group.listen]
    unix = next((item for item in addresses if item.kind == "unix"), None)
    first = unix or next(iter(addresses), None)
    if first is None or first.host not in _ANY:
        return first
    return Address("tcp", _ANY[first.host], first.port)


def require_addresses(sites: SitesOfFront, configuration: Configuration, front: str) -> None:
    """See that a front can ask every group over HTTP, and gets what is mounted. Raises WsgigroupsError."""
    for name in sites.groups:
        if name not in sites.addresses:
            raise WsgigroupsError(
                f"cannot render group {name!r}: {front} asks groups where they listen, and it listens nowhere",
                hint=f'listen = ["unix:/run/wsgigroups-sites/{name}.sock"]',
            )
    first: dict[tuple[str, str], object] = {}
    for key, site in configuration.sites.items():
        for mount in site.mounts:
            name = group_of(mount, site) or ""
            if name not in sites.groups:
                continue
            wanted = application_at(mount, sites.groups[name])
            if first.setdefault((name, mount.path), wanted) != wanted:
                raise WsgigroupsError(
                    f"cannot render mount {mount.path} of site {key!r}: group {name!r} has another application there "
                    f"for another site, and {front} cannot tell it which one it means",
                    hint="give one of the sites a group of its own",
                )


def note_trust(sites: SitesOfFront, front: str, unsaid: Unsaid) -> None:
    """Note each group that believes nothing of what a front says of its clients."""
    for name, address in sites.addresses.items():
        if not sites.groups[name].trusted_proxies:
            peer = "unix" if address.kind == "unix" else address.host
            why = f'{front} is the client of each of its requests; trusted-proxies = ["{peer}"] has it believe {front}'
            unsaid.add(f"groups.{name}", why)
