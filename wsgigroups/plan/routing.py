"""What a gateway's processes are told besides their spec: routes, directories, logs, certificates. Pure data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GATEWAY = "@gateway"  # its group; no group of a file can have that name
ROUTES = ("sites.", "links.")  # how names of its options begin that stand for routes: sites.NAME.mounts./path
LINK_DIRECTORY = "sockets"  # of the gateway's root: the groups' sockets
_LONGEST_NAME, _DIGITS = 16, 8  # of the file of a group's socket, and of the digest in it where the name is longer
CERTIFICATE_DIRECTORY = "certificates"  # likewise, of pairs NAME.crt and NAME.key


def is_link(address: str, root: str) -> bool:
    """Whether a gateway with this root asks a group at this address."""
    return address.startswith(f"unix:{root}/{LINK_DIRECTORY}/")


def link_path(group: str) -> str:
    """Return where a group's socket is, relative to the gateway's root: a path that is short, as unix(7) wants it.

    Names are unique, and no group has a ~ in its name.
    """
    if len(group) > _LONGEST_NAME:
        digest = hashlib.sha256(group.encode()).hexdigest()[:_DIGITS]
        group = f"{group[: _LONGEST_NAME - _DIGITS - 1]}~{digest}"
    return f"{LINK_DIRECTORY}/{group}.sock"


@dataclass(frozen=True, slots=True)
class CertificateTarget:
    """One certificate with its key. name: of the pair in the gateway's root, made of what both files hold."""

    name: str
    certificate: str  # path of the chain on the host
    key: str
    expires_at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class DirectoryTarget:
    """A directory of static files. place: device and number, by which another one at its path is told."""

    path: str
    place: str


@dataclass(frozen=True, slots=True)
class OrderTarget:
    """A certificate that an authority is to make. sites: whose it is; path: of the file for it and its key."""

    sites: tuple[str, ...]
    names: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class AuthorityTarget:
    """Who makes certificates, and which. contact: an e-mail address; ca_file: by which its HTTPS is trusted; or ""."""

    directory: str
    orders: tuple[OrderTarget, ...]
    contact: str = ""
    ca_file: str = ""
    challenge: str = "tls-alpn-01"


@dataclass(frozen=True, slots=True)
class NginxTarget:
    """What nginx goes by besides routes, where it is the engine; as gateway.engines has it."""

    http2: str  # how it is turned on; "": not spoken
    compression: bool
    trusted_proxies: tuple[str, ...]
    body_bytes: tuple[tuple[str, int], ...]  # of a body, at most, by group; 0: no limit
    line_bytes: int  # of a request line or a field, at most


@dataclass(frozen=True, slots=True)
class RoutingTarget:
    """Everything that a gateway goes by, complete.

    text: runtime.wire.routes.Routes as JSON, in which directories and access logs are numbers: their places here.
    root: the directory that a gateway's paths begin in, as the manager sees it. gid: of the group that may read what
    is in it beside the manager's user; None: nobody has to.
    """

    text: str
    directories: tuple[DirectoryTarget, ...]
    access_logs: tuple[str, ...]
    certificates: tuple[CertificateTarget, ...]
    root: str
    gid: int | None = None
    number: int = 0  # what stands for all of it, on a gateway's board: see `numbered`
    authority: AuthorityTarget | None = None  # of sites that have their certificates from one
    nginx: NginxTarget | None = None  # it is told a file for nginx instead of the text


def numbered(
    text: str,
    directories: tuple[DirectoryTarget, ...],
    access_logs: tuple[str, ...],
    nginx: NginxTarget | None = None,
) -> int:
    """Return a number for routes: 2 … 2^48 + 1, as live options have (supervision.live), so that both can be told."""
    parts = (text, directories, access_logs, nginx) if nginx else (text, directories, access_logs)
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=6).digest()
    return 2 + int.from_bytes(digest, "big")


def routing_from_json(data: Mapping[str, Any]) -> RoutingTarget:
    """Build from plain data. Raises KeyError, TypeError for another shape."""
    values = dict(data)
    values["directories"] = tuple(DirectoryTarget(**item) for item in values["directories"])
    values["access_logs"] = tuple(values["access_logs"])
    values["certificates"] = tuple(CertificateTarget(**item) for item in values["certificates"])
    authority = values.get("authority")
    if authority is not None:
        orders = tuple(
            OrderTarget(tuple(item["sites"]), tuple(item["names"]), item["path"]) for item in authority["orders"]
        )
        values["authority"] = AuthorityTarget(**{**authority, "orders": orders})
    nginx = values.get("nginx")
    if nginx is not None:
        lists = {
            "trusted_proxies": tuple(nginx["trusted_proxies"]),
            "body_bytes": tuple(map(tuple, nginx["body_bytes"])),
        }
        values["nginx"] = NginxTarget(**{**nginx, **lists})
    return RoutingTarget(**values)
