"""What follows from a site for its addresses: which there are, and which of them speak TLS. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.addresses import Address, parse
from wsgigroups.config.authority_kinds import ACME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.site import Mount, Site

_HTTP_PORT, _HTTPS_PORT = 80, 443


def server_name(name: str, site: Site) -> str:
    """The host name of a site: its own key, or that of its table."""
    return site.server_name or name.lower()


def addresses_of(site: Site) -> tuple[str, ...]:
    """Where a site is served: what it listens on, and with `http-redirect` port 80 beside each port 443."""
    if not site.http_redirect:
        return site.listen
    beside = []
    for text in site.listen:
        address = parse(text)
        if address.port == _HTTPS_PORT:
            beside.append(str(Address("tcp", address.host, _HTTP_PORT)))
    return tuple(dict.fromkeys((*site.listen, *beside)))


def speaks_tls(site: Site, address: str) -> bool:
    """Whether a site has TLS on this address of it."""
    return site.certificate is not None and parse(address).port != _HTTP_PORT


def has_acme(site: Site) -> bool:
    """Whether an authority makes the site's certificate, by ACME."""
    return site.certificate == ACME


def group_of(mount: Mount, site: Site) -> str | None:
    """The group that answers below a mount; None is an error that the checks of names tell."""
    return mount.process_group or site.process_group


def linked_groups(sites: Mapping[str, Site]) -> frozenset[str]:
    """The groups that the gateway asks: those of mounts of sites that listen somewhere."""
    found = (group_of(mount, site) for site in sites.values() if site.listen for mount in site.mounts)
    return frozenset(name for name in found if name is not None)
