"""A configuration as socket units: one for each group that listens, and one for the addresses of sites. Pure.

systemd.socket(5). The manager knows a socket that it was passed by its address (manager/supervision/passed.py). The
name of the descriptor is for people, and is none that the manager gives to listeners which it has systemd keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.sites import addresses_of
from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.renderers.unit_text import section, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsgigroups.config import Configuration, Group
    from wsgigroups.interop.renderers.context import RenderContext

SERVICE = "wsgigroups.service"
MARK = "# Made by `wsgigroups render systemd-socket`."
_OF_SITES = "wsgigroups.socket"  # no group has that name: theirs have a hyphen
_GATEWAY_BACKLOG = 4096  # net.core.somaxconn of Linux since 5.4; the gateway asks for as many


def socket_units(configuration: Configuration, context: RenderContext) -> dict[str, str]:
    """Return the units by their names, and what has the service take their sockets. Raises WsgigroupsError."""
    units: dict[str, str] = {}
    for name, group in configuration.all_groups().items():
        if group.listen:
            owner = group.socket_user or context.user
            units[f"wsgigroups-{name}.socket"] = _unit(
                f"group {name}", f"group-{name}", group.listen, _of(group, owner)
            )
    addresses = list(dict.fromkeys(text for site in configuration.sites.values() for text in addresses_of(site)))
    if addresses:
        units[_OF_SITES] = _unit("sites", "gateway", addresses, [f"Backlog={_GATEWAY_BACKLOG}"])
    if not units:
        raise WsgigroupsError(
            "cannot render systemd-socket: no group and no site listens anywhere", hint='listen = ["127.0.0.1:8000"]'
        )
    sockets = ["# Starts with the sockets, and takes them whoever starts it.", f"Sockets={' '.join(units)}"]
    drop_in = [MARK, "", *section("Service", sockets)]
    return {**units, f"{SERVICE}.d/sockets.conf": "\n".join(drop_in) + "\n"}


def _of(group: Group, owner: str) -> Iterator[str]:
    yield f"Backlog={group.listen_backlog}"
    if group.receive_buffer_size:
        yield f"ReceiveBuffer={group.receive_buffer_size}"
    if group.send_buffer_size:
        yield f"SendBuffer={group.send_buffer_size}"
    if any(text.startswith("unix:") for text in group.listen):
        yield "SocketMode=0600"
        yield "DirectoryMode=0755"
        yield "RemoveOnStop=yes"
        if owner:
            yield f"SocketUser={value(owner.removeprefix('#'))}"


def _unit(about: str, name: str, listen: Sequence[str], lines: Iterator[str] | list[str]) -> str:
    streams = [f"ListenStream={_stream(text)}" for text in listen]
    found = [
        *streams,
        "BindIPv6Only=ipv6-only",
        f"FileDescriptorName={name}",
        f"Service={SERVICE}",
        *lines,
    ]
    parts = [
        [MARK],
        section("Unit", [f"Description=Addresses of {about} of wsgigroups"]),
        section("Socket", found),
        section("Install", ["WantedBy=sockets.target"]),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _stream(text: str) -> str:
    address = parse(text)
    return value(address.path or "") if address.kind == "unix" else str(address)
