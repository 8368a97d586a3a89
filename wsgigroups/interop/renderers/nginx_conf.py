"""A configuration as an nginx.conf, for an nginx that somebody else starts. Pure.

Groups are asked at the UNIX socket that they listen on by themselves, or else where the gateway would ask them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.sites import linked_groups
from wsgigroups.gateway.engines.nginx import NginxHost, render
from wsgigroups.gateway.engines.nginx_program import http2_of
from wsgigroups.gateway.mounted import applications_of, mounts_of
from wsgigroups.gateway.reading import read_routes
from wsgigroups.gateway.routing import HostOfSites, link_path, routing_of, served_sites
from wsgigroups.plan.routing import CertificateTarget

if TYPE_CHECKING:
    from pathlib import PurePath

    from wsgigroups.config import Configuration, Group
    from wsgigroups.interop.renderers.context import RenderContext

_UNIX = "unix:"


def nginx_conf(configuration: Configuration, context: RenderContext) -> str:
    """Return the text. Raises WsgigroupsError for what nginx cannot be told."""
    sites, groups, mounts = served_sites(configuration), configuration.all_groups(), mounts_of(configuration)
    root, gateway = context.run_dir / "gateway", configuration.gateway
    names = sorted(name for name in linked_groups(configuration.sites) if name in groups)
    certificates = {
        key: CertificateTarget(key, str(site.certificate), str(site.certificate_key), 0.0)
        for key, site in sites.items()
        if site.certificate is not None and site.certificate_key is not None
    }
    host = HostOfSites(
        applications={name: applications_of(groups[name], mounts.get(name, ()), linked=True) for name in names},
        uids={},
        certificates=certificates,
        pages=context.pages,
        places={},
        root=str(root),
    )
    routing = routing_of(configuration, host)
    asked = [groups[name] for name in names]
    return render(
        read_routes(routing),
        NginxHost(
            temporary=str(context.run_dir / "nginx"),
            sockets={name: _socket(name, groups[name], root) for name in names},
            directories=tuple(item.path for item in routing.directories),
            access_logs=routing.access_logs,
            certificates={key: (item.certificate, item.key) for key, item in certificates.items()},
            user=context.user,
            group=context.group,
            processes=gateway.processes,
            shutdown_timeout_s=gateway.shutdown_timeout,
            trusted_proxies=tuple(str(item) for item in gateway.trusted_proxies),
            http2=http2_of(context.program) if gateway.http2 else "",
            compression=gateway.compression,
            body_bytes={name: groups[name].limit_request_body for name in names},
            line_bytes=max((max(item.limit_request_line, item.limit_request_field_size) for item in asked), default=0),
        ),
    )


def _socket(name: str, group: Group, root: PurePath) -> str:
    own = [address.removeprefix(_UNIX) for address in group.listen if address.startswith(_UNIX)]
    return own[0] if own else str(root / link_path(name))
