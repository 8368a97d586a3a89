"""What the gateway goes by: everything that one message of routes brings, in one object, put in place at once.

Made in the main thread, from then on the loop's. A request keeps what it has found here; the descriptors of directories
are used only while one is begun, so that they are closed when another table is put in place.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence

from ..originals import os
from ..protocol.forwarding import Trust
from ..wire import routes
from ..wire.routes import WELL_KNOWN, Link, ListenerRoute, Routes, SiteRoute
from .journal import FORMATS, LogFile, SiteLog
from .router import Router
from .site_counts import SiteTally


class RoutesError(Exception):
    """The routes cannot be used; the message says why."""


class RouteTable:
    """Built of Routes. Raises RoutesError; the descriptors are the caller's until it returns."""

    def __init__(
        self,
        found: Routes,
        listen: Sequence[str],
        directories: Sequence[int],
        logs: Sequence[int],
        log: Callable[[str, str], None],
        clock: Callable[[], int],
        before: "Optional[RouteTable]" = None,
        counts: int = -1,
    ) -> None:
        """listen: the addresses of the process, in their order; before: the table that this one takes the place of.

        counts: the page where requests of sites are counted; -1: nobody reads it.
        """
        try:
            self.router: Router = Router(found, None if before is None else before.router)
            self.announced = [Trust(listener.proxy_protocol) for listener in found.listeners]
        except ValueError as error:
            raise RoutesError(str(error)) from None
        self.routes = found
        self.links: Dict[str, Link] = found.links
        self.directories: List[int] = list(directories)
        by_address = {listener.address: number for number, listener in enumerate(found.listeners)}
        self._places = [by_address.get(address, -1) for address in listen]
        self._https_ports: Dict[str, int] = {}
        for listener in found.listeners:
            port = listener.address.rpartition(":")[2]
            if listener.tls and port.isdecimal():
                for key in listener.sites:
                    self._https_ports.setdefault(found.sites[key].server_name, int(port))
        for name, site in found.sites.items():
            if site.access_format not in FORMATS:
                raise RoutesError("the site %s has an access log in format %r" % (name, site.access_format))
            if site.access_log >= len(logs):
                raise RoutesError("the site %s has access log %d of %d" % (name, site.access_log, len(logs)))
            for static in site.statics:
                if not 0 <= static.directory < len(directories):
                    text = "the site %s has directory %d of %d"
                    raise RoutesError(text % (name, static.directory, len(directories)))
        try:
            self.counts = SiteTally(found.sites, counts)
        except (OSError, ValueError) as error:
            raise RoutesError("requests cannot be counted: %s" % error) from None
        self._files = [LogFile(os.dup(fd), log) for fd in logs]
        self._clock = clock
        self._journals: Dict[str, SiteLog] = {}

    def journal(self, site_name: str, site: SiteRoute) -> Optional[SiteLog]:
        """Return where the lines of a site go; None: it gets none. Made when the first is written."""
        if site.access_log < 0:
            return None
        found = self._journals.get(site_name)
        if found is None:
            form, file = site.access_format, self._files[site.access_log]
            self._journals[site_name] = found = SiteLog(site.server_name, form, file, self._clock)
        return found

    def place(self, listener: int) -> int:
        """Return the place in the routes of a listener of the process; -1: nothing is served there."""
        return self._places[listener]

    def listener(self, listener: int) -> Optional[ListenerRoute]:
        """Return what the routes say of a listener of the process."""
        place = self._places[listener]
        return None if place < 0 else self.routes.listeners[place]

    def challenge(self, path: str) -> Optional[str]:
        """Return what is answered to a certificate authority at this path; None: it has not asked for that."""
        texts = self.routes.challenges.texts
        return texts.get(path[len(WELL_KNOWN) :]) if texts and path.startswith(WELL_KNOWN) else None

    def https_port(self, site_name: str) -> int:
        """Return the port where the name of a site is served with TLS; 443 if it is nowhere here."""
        return self._https_ports.get(self.routes.sites[site_name].server_name, 443)

    def close(self) -> None:
        """Close the directories and the counts: another table is in place."""
        self.counts.close()
        for fd in self.directories:
            os.close(fd)
        self.directories = []


def load(fd: int, known: Optional[Dict[str, SiteRoute]] = None) -> Routes:
    """Read routes from a sealed file. Raises RoutesError. known: as for routes.from_text."""
    try:
        return routes.from_text(read(fd).decode(), known)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RoutesError("the routes cannot be read: %s: %s" % (type(error).__name__, error)) from None


def read(fd: int) -> bytes:
    """Return all of a sealed file. Raises RoutesError."""
    try:
        size = os.fstat(fd).st_size
        data = os.pread(fd, size, 0)
    except OSError as error:
        raise RoutesError("the routes cannot be read: %s" % error) from None
    if len(data) != size:
        raise RoutesError("the routes are cut short")
    return data
