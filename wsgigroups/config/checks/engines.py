"""What an engine of the gateway cannot do, at the option that asks for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.sites import addresses_of, has_acme, linked_groups, speaks_tls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.site import Gateway, Site
    from wsgigroups.config.source import Path

# options of the link → what nginx makes of them
_LINK = {
    "connect-timeout": "nginx does not wait for a place in a full queue of a UNIX socket, it answers 502 at once",
    "header-buffer-size": "nginx holds the whole head of an answer to that, and answers 502 instead of 500",
    "response-buffer-size": "nginx sends answers on as they come, this limit is not looked at",
}


def check_engine(
    gateway: Gateway, groups: Mapping[str, Group], sites: Mapping[str, Site], findings: list[Finding]
) -> None:
    """Add what the engine cannot do, and what would be different with it."""
    if gateway.engine == "nginx":
        findings += [Finding("WG0418", path, message, hint) for path, message, hint in _impossible(gateway, sites)]
        findings += [Finding("WG0424", path, message) for path, message in _differences(gateway, groups, sites)]
        return
    for name in ("http2", "compression"):
        if gateway.is_set(name) and getattr(gateway, name):
            message = f"the embedded gateway has no {name}"
            findings.append(Finding("WG0418", ("gateway", name), message, 'leave it out, or set engine = "nginx"'))


def _impossible(gateway: Gateway, sites: Mapping[str, Site]) -> Iterator[tuple[Path, str, str]]:
    asking = next((name for name, site in sites.items() if has_acme(site)), None)
    if asking is not None and gateway.acme_challenge != "http-01":
        message = "nginx cannot answer the challenge tls-alpn-01, which a certificate of an authority takes here"
        yield ("sites", asking, "certificate"), message, 'set acme-challenge = "http-01" in [gateway]'


def _differences(
    gateway: Gateway, groups: Mapping[str, Group], sites: Mapping[str, Site]
) -> Iterator[tuple[Path, str]]:
    linked = linked_groups(sites)
    for path, group in _walk(groups, sites):
        if path[-1] in linked:
            for name, message in _LINK.items():
                if group.is_set(name.replace("-", "_")):
                    yield (*path, name), message
    if gateway.trusted_proxies:
        where: Path = ("gateway", "trusted-proxies")
        yield where, "nginx does not choose the site by X-Forwarded-Host, only by the host that it was asked for"
    for name, site in sites.items():
        if site.proxy_protocol:
            where = ("sites", name, "proxy-protocol")
            yield where, "with nginx every connection to these addresses must begin with a PROXY header"
            if gateway.trusted_proxies:
                yield where, "nginx believes no X-Forwarded-For behind a PROXY header"
        other = _decides(name, site, sites)
        if other and site.tls_minimum != sites[other].tls_minimum:
            message = f'nginx goes by the tls-minimum of site "{other}", the first one of the address'
            yield ("sites", name, "tls-minimum"), message


def _decides(name: str, site: Site, sites: Mapping[str, Site]) -> str:
    """The first site of an address with TLS that a site has, if it is another one."""
    for address in addresses_of(site):
        if speaks_tls(site, address):
            first = next(key for key, item in sites.items() if address in addresses_of(item))
            if first != name:
                return first
    return ""


def _walk(groups: Mapping[str, Group], sites: Mapping[str, Site]) -> Iterator[tuple[Path, Group]]:
    for name, group in groups.items():
        yield ("groups", name), group
    for site_name, site in sites.items():
        for name, group in site.groups.items():
            yield ("sites", site_name, "groups", name), group
