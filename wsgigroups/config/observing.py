"""Where the manager itself listens, for others that watch it, and for people. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config import addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.server import ServerDefaults

OPTIONS = ("health-listen", "metrics-listen", "dashboard")


@dataclass(frozen=True, slots=True)
class ObservingPlaces:
    """Addresses by option; "" for an option that is not set."""

    health: str = ""
    metrics: str = ""
    dashboard: str = ""

    @property
    def by_option(self) -> Mapping[str, str]:
        """What is set, by the name of its option."""
        return {
            name: text for name, text in zip(OPTIONS, (self.health, self.metrics, self.dashboard), strict=True) if text
        }


def places_from(by_option: Mapping[str, str]) -> ObservingPlaces:
    """Return the places that were stored; what is no address is none."""
    found = []
    for option in OPTIONS:
        try:
            found.append(str(addresses.parse(by_option[option])))
        except (KeyError, ValueError):
            found.append("")
    return ObservingPlaces(*found)


def places_of(server: ServerDefaults) -> ObservingPlaces:
    """Return the places that `[server]` names."""
    return ObservingPlaces(server.health_listen or "", server.metrics_listen or "", server.dashboard or "")


def is_local(text: str) -> bool:
    """Whether nobody but users of this machine can connect to an address."""
    return addresses.parse(text).kind == "unix" or is_loopback(text)


def is_loopback(text: str) -> bool:
    """Whether an address is a port of the loopback interface."""
    address = addresses.parse(text)
    return address.kind == "tcp" and ipaddress.ip_address(address.host or "").is_loopback
