"""What the status says of sites: read out of the routes that are in force. Decides nothing.

Runs in the manager's only thread. Ten thousand sites are read once for each change of them, not for each question.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from wsgigroups.gateway.reading import read_routes
from wsgigroups.manager.control.documents import CertificateDocument, GatewayDocument, ListenerDocument, SiteDocument
from wsgigroups.manager.control.figures import MOST
from wsgigroups.manager.core.totals import sites_in
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.trust.validity import days_left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.manager.core.model import GroupState, State
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.plan.routing import RoutingTarget
    from wsgigroups.runtime.wire.routes import Routes


@dataclass(slots=True)
class ShownSites:
    """The last answer, and of which routes and certificates' days it was."""

    _routing: RoutingTarget | None = None
    _routes: Routes | None = None
    _days: tuple[int, ...] = ()
    _shown: GatewayDocument | None = None

    def of(self, state: State, processes: Mapping[int, Process]) -> GatewayDocument | None:
        """Return what the gateway serves; None without one. processes: by life."""
        group = state.groups.get(GATEWAY)
        routing = group.target.routing if group else None
        if routing is None:
            return None
        days = tuple(days_left(item.expires_at, time.time()) for item in routing.certificates)
        if self._routes is None or routing is not self._routing:
            self._routes, self._shown = read_routes(routing), None
        if self._shown is None or days != self._days:
            self._shown = _document(routing, self._routes, days)
        self._routing, self._days = routing, days
        assert group is not None
        self._shown = _with_requests(self._shown, _requests(group, processes))
        return self._shown


def _requests(group: GroupState, processes: Mapping[int, Process]) -> Counter[str]:
    """Requests by site, of processes that are there and of those that have ended."""
    found = Counter(sites_in(group.ended))
    for record in group.records:
        process = processes.get(record.life)
        if process is not None:
            found.update(process.site_pages.read())
    return found


def _with_requests(shown: GatewayDocument, requests: Counter[str]) -> GatewayDocument:
    """Put the numbers in. Of ten thousand sites only those are made anew that somebody has asked since."""
    changed = False
    sites = []
    for site in shown.sites:
        number = min(requests[site.name], MOST)
        if number != site.requests_total:
            site = site.model_copy(update={"requests_total": number})  # noqa: PLW2901 — the one of before is kept else
            changed = True
        sites.append(site)
    return shown.model_copy(update={"sites": sites}) if changed else shown


def _document(routing: RoutingTarget, routes: Routes, days: tuple[int, ...]) -> GatewayDocument:
    listen: dict[str, list[str]] = {}
    for listener in routes.listeners:
        for key in listener.sites:
            listen.setdefault(key, []).append(listener.address)
    files = {item.name: item.certificate for item in routing.certificates}
    users: dict[str, list[str]] = {}
    for key, site in routes.sites.items():
        if site.certificate:
            users.setdefault(site.certificate, []).append(key)
    return GatewayDocument(
        listeners=[ListenerDocument(address=x.address, tls=x.tls, sites=list(x.sites)) for x in routes.listeners],
        sites=[
            SiteDocument(
                name=key,
                server_name=site.server_name,
                aliases=list(site.aliases),
                listen=listen.get(key, []),
                mounts={mount.path: mount.group for mount in site.mounts},
                static={static.path: routing.directories[static.directory].path for static in site.statics},
                certificate=files.get(site.certificate),
                requests_total=0,  # they change without the routes, too
            )
            for key, site in routes.sites.items()
        ],
        certificates=[
            CertificateDocument(
                file=item.certificate,
                expires_at=_moment(item.expires_at),
                days_left=left,
                sites=users.get(item.name, []),
            )
            for item, left in zip(routing.certificates, days, strict=True)
        ],
        orders=[],  # they change without the routes: who asks puts them in
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
