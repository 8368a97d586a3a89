"""From the sites of a configuration to the routes of its gateway. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.sites import addresses_of, group_of, server_name, speaks_tls
from wsgigroups.gateway.authority import authority_of
from wsgigroups.gateway.mounted import route_key
from wsgigroups.plan.routing import (
    CertificateTarget,
    DirectoryTarget,
    NginxTarget,
    RoutingTarget,
    link_path,
    numbered,
)
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsgigroups.config import Configuration, Group, Site
    from wsgigroups.runtime.wire.spec import Application

_HEADER_BUFFER_BYTES, _RESPONSE_BUFFER_BYTES = 32768, 65536  # what 0 of these options stands for


@dataclass(frozen=True, slots=True)
class HostOfSites:
    """What the names in sites come to on a host."""

    applications: Mapping[str, Sequence[Application]]  # of the groups that are linked
    uids: Mapping[str, tuple[int, ...]]  # who may listen for them
    certificates: Mapping[str, CertificateTarget]  # by site
    pages: Mapping[str, str]  # the HTML of error pages, by path
    places: Mapping[str, str]  # of static directories, by path: DirectoryTarget.place
    root: str
    gid: int | None = None
    orders: str = ""  # the directory of certificates that an authority makes
    nginx: NginxTarget | None = None


@dataclass(slots=True)
class _Places:
    """Paths by their places among descriptors: one that several sites have is sent once."""

    paths: dict[str, int] = field(default_factory=dict)

    def of(self, path: str) -> int:
        return self.paths.setdefault(path, len(self.paths))


def served_sites(configuration: Configuration) -> dict[str, Site]:
    """Return the sites that a client could reach, in the order of the file."""
    return {key: site for key, site in configuration.sites.items() if site.listen}


def addresses(sites: Mapping[str, Site]) -> tuple[str, ...]:
    """Return all addresses of these sites, each once, in the order of the file."""
    return tuple(dict.fromkeys(address for site in sites.values() for address in addresses_of(site)))


def routing_of(configuration: Configuration, host: HostOfSites) -> RoutingTarget:
    """Return what a gateway is told of these sites."""
    sites, groups = served_sites(configuration), configuration.all_groups()
    directories, logs = _Places(), _Places()
    keys = {name: frozenset(item.key for item in found) for name, found in host.applications.items()}
    routes = Routes(
        listeners=_listeners(sites),
        sites={key: _site(key, site, groups, keys, host, directories, logs) for key, site in sites.items()},
        links={
            name: _link(name, groups[name], configuration.server.timeout, host.uids.get(name, ()))
            for name in sorted(host.applications)
        },
    )
    text = routes.to_text()
    found = tuple(DirectoryTarget(path, host.places.get(path, "")) for path in directories.paths)
    certificates = {item.name: item for item in host.certificates.values()}
    access_logs = tuple(logs.paths)
    return RoutingTarget(
        text,
        found,
        access_logs,
        tuple(certificates[name] for name in sorted(certificates)),
        host.root,
        host.gid,
        numbered(text, found, access_logs, host.nginx),
        authority_of(configuration, host.orders),
        host.nginx,
    )


def _listeners(sites: Mapping[str, Site]) -> tuple[ListenerRoute, ...]:
    found: dict[str, list[str]] = {}
    for key, site in sites.items():
        for address in addresses_of(site):
            found.setdefault(address, []).append(key)
    return tuple(
        ListenerRoute(
            address,
            tuple(keys),
            tls=any(speaks_tls(sites[key], address) for key in keys),
            proxy_protocol=tuple(dict.fromkeys(peer for key in keys for peer in sites[key].proxy_protocol)),
        )
        for address, keys in found.items()
    )


def _site(
    key: str,
    site: Site,
    groups: Mapping[str, Group],
    keys: Mapping[str, frozenset[str]],
    host: HostOfSites,
    directories: _Places,
    logs: _Places,
) -> SiteRoute:
    certificate = host.certificates.get(key)
    mounts = []
    for mount in site.mounts:
        name = group_of(mount, site)
        if name is not None and name in groups:
            application = route_key(mount, groups[name], keys.get(name, frozenset()))
            mounts.append(MountRoute(mount.path, name, application))
    return SiteRoute(
        server_name=server_name(key, site),
        aliases=site.aliases,
        mounts=tuple(mounts),
        statics=tuple(
            StaticRoute(item.path, directories.of(str(item.directory)), site.index or "") for item in site.static
        ),
        certificate=certificate.name if certificate else "",
        redirect_to_https=site.redirect_to_https or site.http_redirect,
        hsts_s=int(site.hsts),
        tls_minimum=site.tls_minimum,
        access_log=logs.of(str(site.access_log)) if site.access_log else -1,
        access_format=site.access_log_format,
        error_pages={int(status): host.pages[str(path)] for status, path in site.error_pages.items()},
    )


def _link(name: str, group: Group, timeout_s: float, uids: tuple[int, ...]) -> Link:
    return Link(
        socket=link_path(name),
        uids=uids,
        connect_timeout_s=group.connect_timeout,
        socket_timeout_s=group.socket_timeout if group.is_set("socket_timeout") else timeout_s,
        response_socket_timeout_s=group.response_socket_timeout or 0.0,
        header_buffer_size_bytes=group.header_buffer_size or _HEADER_BUFFER_BYTES,
        response_buffer_size_bytes=group.response_buffer_size or _RESPONSE_BUFFER_BYTES,
    )
