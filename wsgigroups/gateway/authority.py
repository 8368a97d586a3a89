"""The certificates that an authority is to make for the sites of a configuration. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from wsgigroups.config.sites import has_acme, server_name
from wsgigroups.plan.routing import AuthorityTarget, OrderTarget

if TYPE_CHECKING:
    from wsgigroups.config import Configuration

_DIGITS = 32


def authority_of(configuration: Configuration, directory: str) -> AuthorityTarget | None:
    """Return who makes which certificates, into which files of a directory; None where nobody has to.

    Sites of one server name share one, for the names of all of them. An alias that comes or goes is an order for other
    names into the same file, so that the certificate of before is there until it is made.
    """
    gateway = configuration.gateway
    sites: dict[str, list[str]] = {}
    names: dict[str, dict[str, None]] = {}
    for key, site in configuration.sites.items():
        if site.listen and has_acme(site):
            name = server_name(key, site)
            sites.setdefault(name, []).append(key)
            names.setdefault(name, {}).update(dict.fromkeys((name, *site.aliases)))
    if not sites:
        return None
    orders = tuple(
        OrderTarget(tuple(keys), tuple(names[name]), order_path(directory, gateway.acme_directory, name))
        for name, keys in sites.items()
    )
    contact, ca_file = gateway.acme_contact or "", gateway.acme_ca_file or ""
    return AuthorityTarget(gateway.acme_directory, orders, contact, ca_file, gateway.acme_challenge)


def order_path(directory: str, authority: str, name: str) -> str:
    """Return the file for the certificate that an authority makes for a server name."""
    digest = hashlib.sha256(f"{authority}\0{name}".encode()).hexdigest()
    return f"{directory}/{digest[:_DIGITS]}.pem"
