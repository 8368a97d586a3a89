"""A configuration as an nginx.conf, for an nginx that somebody else starts. Pure.

Groups are asked at the UNIX socket that they listen on by themselves, or else where the gateway would ask them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.gateway.engines.nginx import NginxHost, render
from wsgigroups.gateway.engines.nginx_program import http2_of
from wsgigroups.interop.renderers.deadlines import longest
from wsgigroups.interop.renderers.fronts import sites_of_front
from wsgigroups.plan.routing import link_path

if TYPE_CHECKING:
    from pathlib import PurePath

    from wsgigroups.config import Configuration, Group
    from wsgigroups.interop.renderers.context import RenderContext
    from wsgigroups.interop.renderers.deadlines import RequestDeadlines
    from wsgigroups.runtime.wire.routes import Link

_UNIX = "unix:"


def nginx_conf(configuration: Configuration, context: RenderContext) -> str:
    """Return the text. Raises WsgigroupsError for what nginx cannot be told."""
    sites, gateway = sites_of_front(configuration, context), configuration.gateway
    root, asked = context.run_dir / "gateway", sites.groups.values()
    routes = replace(
        sites.routes,
        links={name: _patient(link, sites.deadlines[name]) for name, link in sites.routes.links.items()},
    )
    slowest, stop_s = longest(sites.deadlines.values()), gateway.shutdown_timeout
    if slowest and stop_s:  # 0 sets no limit
        stop_s = max(stop_s, slowest.front_stop_s)
    return render(
        routes,
        NginxHost(
            temporary=str(context.run_dir / "nginx"),
            sockets={name: _socket(name, group, root) for name, group in sites.groups.items()},
            directories=tuple(item.path for item in sites.routing.directories),
            access_logs=sites.routing.access_logs,
            certificates=sites.certificates,
            user=context.user,
            group=context.group,
            processes=gateway.processes,
            shutdown_timeout_s=stop_s,
            trusted_proxies=tuple(str(item) for item in gateway.trusted_proxies),
            http2=http2_of(context.program) if gateway.http2 else "",
            compression=gateway.compression,
            body_bytes={name: group.limit_request_body for name, group in sites.groups.items()},
            line_bytes=max((max(item.limit_request_line, item.limit_request_field_size) for item in asked), default=0),
        ),
    )


def _patient(link: Link, deadlines: RequestDeadlines) -> Link:
    """A link that waits longer than the group behind it; clients are waited for as before."""
    client_s = link.response_socket_timeout_s or link.socket_timeout_s
    return replace(link, socket_timeout_s=deadlines.front_s, response_socket_timeout_s=client_s)


def _socket(name: str, group: Group, root: PurePath) -> str:
    own = [address.removeprefix(_UNIX) for address in group.listen if address.startswith(_UNIX)]
    return own[0] if own else str(root / link_path(name))
