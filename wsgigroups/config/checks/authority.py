"""Sites whose certificates an authority makes: what it needs, and what cannot be had of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.sites import addresses_of, has_acme, speaks_tls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.site import Gateway, Site
    from wsgigroups.config.source import Path

_ASKED = {"http-01": 80, "tls-alpn-01": 443}  # the port that an authority connects to (RFC 8555, RFC 8737)


def check_authority(gateway: Gateway, sites: Mapping[str, Site], findings: list[Finding]) -> None:
    """Whether an order of these sites can come to anything."""
    asking = {key: site for key, site in sites.items() if has_acme(site)}
    for key, site in asking.items():
        path: Path = ("sites", key)
        if site.is_set("certificate_key"):
            message = "certificate-key belongs to a file: with acme the manager makes the key"
            findings.append(Finding("WG0420", (*path, "certificate-key"), message, "leave it out"))
        for i, alias in enumerate(site.aliases):
            if alias.startswith("*."):
                message = (
                    f"{alias}: an authority proves a wildcard by DNS alone (dns-01), which this program does not do"
                )
                hint = "list the names, or name a certificate file that another program keeps"
                findings.append(Finding("WG0421", (*path, "aliases", i), message, hint))
        if not gateway.acme_terms_agreed:
            message = 'certificate = "acme" needs acme-terms-agreed = true in [gateway]'
            hint = f"read the terms of service of the authority, {gateway.acme_directory} names them"
            findings.append(Finding("WG0422", (*path, "certificate"), message, hint))
    port = _ASKED[gateway.acme_challenge]
    wanted = gateway.acme_challenge == "tls-alpn-01"
    served = {
        parse(address).port
        for site in sites.values()
        for address in addresses_of(site)
        if speaks_tls(site, address) == wanted
    }
    if asking and port not in served:
        first = next(iter(asking))
        message = f"the authority looks for {gateway.acme_challenge} on port {port}, and no site is served there"
        hint = f"serve a site on port {port}, lead that port here, or set acme-challenge"
        findings.append(Finding("WG0423", ("sites", first, "certificate"), message, hint))
