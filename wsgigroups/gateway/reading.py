"""Routes read back from what a gateway is told, and what a front that is rendered goes by in them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.routes import from_text

if TYPE_CHECKING:
    from wsgigroups.plan.routing import RoutingTarget
    from wsgigroups.runtime.wire.routes import ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

HTTPS_PORT = 443


def read_routes(routing: RoutingTarget) -> Routes:
    """Return the routes. Raises ValueError, KeyError, TypeError for a text that is none of ours."""
    return from_text(routing.text)


def names_at(listener: ListenerRoute, routes: Routes) -> dict[str, list[str]]:
    """Return the names of each site: one that several have is the first one's, and a name is before an alias."""
    taken: dict[str, str] = {}
    for name in listener.sites:
        taken.setdefault(canonical(routes.sites[name].server_name), name)
    for name in listener.sites:
        for alias in routes.sites[name].aliases:
            taken.setdefault(canonical(alias), name)
    found: dict[str, list[str]] = {name: [] for name in listener.sites}
    for text, name in taken.items():
        found[name].append(text)
    return found


def places_of(site: SiteRoute) -> dict[str, MountRoute | StaticRoute]:
    """Return what is below which prefix; "" is the prefix of everything."""
    found: dict[str, MountRoute | StaticRoute] = {}
    answering: list[MountRoute | StaticRoute] = [*site.statics, *site.mounts]
    for route in answering:  # at one path the first of its kind answers, and files before an application
        found.setdefault(route.path.rstrip("/"), route)
    return found


def canonical(name: str) -> str:
    """Return a host name in the form that names are compared in."""
    return name.lower().removesuffix(".")


def https_port(name: str, routes: Routes) -> int:
    """Return the port of a site's address with TLS: 443 if it has that, or none."""
    found = [item.address.rpartition(":")[2] for item in routes.listeners if item.tls and name in item.sites]
    ports = [int(text) for text in found if text.isascii() and text.isdigit()]
    return HTTPS_PORT if HTTPS_PORT in ports or not ports else ports[0]
