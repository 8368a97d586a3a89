"""The nginx.conf for an nginx that the manager runs: of what a gateway is told, for its keeper (runtime/keeper). Pure.

Its paths begin where those of the keeper do, so that one text does for all processes of the gateway: the sockets of
groups are below the working directory, what is for this configuration alone is below a directory with its number.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from wsgigroups.gateway.engines.nginx import NginxHost, render
from wsgigroups.plan.routing import CERTIFICATE_DIRECTORY
from wsgigroups.runtime.wire.routes import from_text

if TYPE_CHECKING:
    from wsgigroups.plan.routing import NginxTarget, RoutingTarget

_CONNECTIONS = 16384  # of a process: nginx takes 450 bytes for each at once


@lru_cache(maxsize=2)  # each process is told the same, and ten thousand sites take a second
def supervised_conf(routing: RoutingTarget, nginx: NginxTarget, text: str, number: int, listen: tuple[str, ...]) -> str:
    """Return the file. Raises RenderError.

    text, number: those of the routing, or with challenges. listen: the addresses of the process; what is to be served
    elsewhere is left to others.
    """
    routes = from_text(text)
    routes = replace(routes, listeners=tuple(item for item in routes.listeners if item.address in listen))
    directory = f"{routing.root}/{CERTIFICATE_DIRECTORY}"
    return render(
        routes,
        NginxHost(
            temporary=".",
            sockets={name: link.socket for name, link in routes.links.items()},
            directories=tuple(f"{number}/static-{place}" for place in range(len(routing.directories))),
            access_logs=tuple(f"{number}/access-{place}" for place in range(len(routing.access_logs))),
            certificates={
                item.name: (f"{directory}/{item.name}.crt", f"{directory}/{item.name}.key")
                for item in routing.certificates
            },
            connections=_CONNECTIONS,
            shutdown_timeout_s=0.0,  # what leaves for other routes may finish; the keeper ends what takes too long
            trusted_proxies=nginx.trusted_proxies,
            http2=nginx.http2,
            body_bytes=dict(nginx.body_bytes),
            line_bytes=nginx.line_bytes,
            compression=nginx.compression,
            kept=True,
        ),
    )
