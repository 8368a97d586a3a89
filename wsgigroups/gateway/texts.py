"""What a plan says of sites: one text for each thing of a site that a client could notice. Pure.

They are options of the gateway's target, under names that begin with `sites.` or `links.`, so that what is added,
moved or removed is told as any option that changes is.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from wsgigroups.config.authority_kinds import ACME
from wsgigroups.config.shape import SITE_OPTIONS
from wsgigroups.config.show import readable
from wsgigroups.config.sites import addresses_of, group_of, has_acme, server_name
from wsgigroups.gateway.routing import served_sites

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from wsgigroups.config import Configuration, Group, Site
    from wsgigroups.config.models.site import Mount
    from wsgigroups.gateway.routing import HostOfSites
    from wsgigroups.plan.routing import CertificateTarget

# told of each site where they are written, as they are written
_PLAIN = (
    "redirect-to-https", "hsts", "tls-minimum", "index", "access-log", "access-log-format", "proxy-protocol",
)  # fmt: skip
_LINK_OPTIONS = (
    "connect-timeout", "socket-timeout", "response-socket-timeout", "header-buffer-size", "response-buffer-size",
)  # fmt: skip
_DIGITS = 12  # of a digest


def site_texts(configuration: Configuration, host: HostOfSites) -> dict[str, str]:
    """Return name → text of everything that the routes of these sites consist of."""
    texts: dict[str, str] = {}
    for key, site in served_sites(configuration).items():
        name = f"sites.{key}"
        texts[f"{name}.listen"] = ", ".join(addresses_of(site))
        if server_name(key, site) != key:
            texts[f"{name}.server-name"] = server_name(key, site)
        if site.aliases:
            texts[f"{name}.aliases"] = ", ".join(site.aliases)
        for mount in site.mounts:
            texts[f"{name}.mounts.{mount.path}"] = _mount_text(mount, site)
        for static in site.static:
            place = host.places.get(str(static.directory), "")
            texts[f"{name}.static.{static.path}"] = f"{static.directory}{f' ({place})' if place else ''}"
        certificate = host.certificates.get(key)
        if certificate:
            texts[f"{name}.certificate"] = certificate_text(certificate, by_authority=has_acme(site))
        elif has_acme(site):
            texts[f"{name}.certificate"] = f"{ACME} (waiting)"
        for option in _PLAIN:
            if site.is_set(option):
                texts[f"{name}.{option}"] = _text(readable(SITE_OPTIONS[option], getattr(site, _attribute(option))))
        for status, path in site.error_pages.items():
            digest = hashlib.sha256(host.pages[str(path)].encode()).hexdigest()
            texts[f"{name}.error-pages.{status}"] = f"{path} ({digest[:_DIGITS]})"
    groups = configuration.all_groups()
    for name in sorted(host.applications):
        texts[f"links.{name}"] = _link_text(groups[name], configuration.server.timeout, host.uids.get(name, ()))
    return texts


def certificate_text(certificate: CertificateTarget, *, by_authority: bool = False) -> str:
    """The file, or that an authority has made it, and what stands for what it holds."""
    return f"{ACME if by_authority else certificate.certificate} ({certificate.name[:_DIGITS]})"


def _mount_text(mount: Mount, site: Site) -> str:
    """The group, and the application where the mount has one of its own."""
    own = mount.app or (f"{mount.script}:{mount.callable_object}" if mount.script else "")
    return f"{group_of(mount, site)} ({own})" if own else str(group_of(mount, site))


def _link_text(group: Group, timeout_s: float, uids: tuple[int, ...]) -> str:
    values: Mapping[str, Any] = {option: getattr(group, _attribute(option)) for option in _LINK_OPTIONS}
    if not group.is_set("socket_timeout"):
        values = {**values, "socket-timeout": timeout_s}
    found = [f"{option} {value:g}" for option, value in values.items()]
    return ", ".join([*found, f"uid {' '.join(map(str, uids))}"])


def _attribute(option: str) -> str:
    return option.replace("-", "_")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
