"""Addresses on which another program listens already. Pure: what listens, and what of it is ours, is given."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from wsgigroups.config import addresses
from wsgigroups.config.diagnostics import Finding
from wsgigroups.host.checks.checking import members_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wsgigroups.config.build import Parts
    from wsgigroups.config.source import Path

Place = tuple[str, int]  # address and port


def check_taken(parts: Parts, listening: Collection[Place], own: Collection[str]) -> list[Finding]:
    """Return the addresses that cannot be bound now. own: those that the manager has which is asked to apply."""
    ours = {place for text in own if (place := _place(text))}
    others = [place for place in listening if place not in ours]
    findings = []
    for path, text in _wanted(parts):
        place = _place(text)
        if place is None or place in ours:
            continue
        for other in others:
            if _conflict(place, other):
                shown = f"[{other[0]}]:{other[1]}" if ":" in other[0] else f"{other[0]}:{other[1]}"
                message = f"{text} is in use: another program listens on {shown}"
                hint = f"stop that program, or use another port; ss -ltnp 'sport = :{place[1]}' shows it"
                findings.append(Finding("WG0626", path, message, hint))
                break
    return findings


def _wanted(parts: Parts) -> Iterator[tuple[Path, str]]:
    for member in members_of(parts):
        for number, text in enumerate(member.group.listen):
            yield (*member.path, "listen", number), text
    seen = set()
    for key, site in parts.sites.items():
        for number, text in enumerate(site.listen):
            if text not in seen:  # sites share addresses
                seen.add(text)
                yield ("sites", key, "listen", number), text


def _place(text: str) -> Place | None:
    address = addresses.parse(text)
    return None if address.path is not None else (str(address.host), int(address.port or 0))


def _conflict(wanted: Place, other: Place) -> bool:
    """Whether the kernel refuses one beside the other: the same port, and the same address or one that is all."""
    if wanted[1] != other[1]:
        return False
    one, two = ipaddress.ip_address(wanted[0]), ipaddress.ip_address(other[0])
    return one.version == two.version and (one == two or one.is_unspecified or two.is_unspecified)
