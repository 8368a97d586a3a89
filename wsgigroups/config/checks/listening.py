"""Addresses and host names that are taken twice. Pure; the time it takes grows with the number of addresses only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config import addresses
from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.sites import addresses_of, server_name, speaks_tls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.site import Site
    from wsgigroups.config.source import Path

_MAXIMUM_PAIRS = 2_000_000  # of names and addresses that are compared; no real configuration comes near

_Entry = tuple[int, str, "Path"]  # its number, its text, where it stands


class Taken:
    """Addresses so far, found by what an overlapping one would have in common with them."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str, bool], _Entry] = {}
        self._count = 0

    def add(self, address: addresses.Address, path: Path, *, shared: bool) -> _Entry | None:
        """Take it; return the first that cannot be bound beside it. Two shared ones can: sites are told apart."""
        text = str(address)
        keys: list[tuple[str, str]] = [("exact", text)]
        wanted: list[tuple[str, str]] = [("exact", text)]
        if address.kind == "tcp":
            place = f"{':' in (address.host or '')} {address.port}"
            keys.append(("any", place))
            if address.is_wildcard:
                keys.append(("wildcard", place))
            wanted.append(("any" if address.is_wildcard else "wildcard", place))
        kinds = (False,) if shared else (False, True)
        found = [entry for key in wanted for kind in kinds if (entry := self._first.get((*key, kind)))]
        self._count += 1
        for key in keys:
            self._first.setdefault((*key, shared), (self._count, text, path))
        return min(found, default=None)


def check_addresses(groups: Iterable[tuple[Path, Group]], sites: Mapping[str, Site], findings: list[Finding]) -> None:
    """Two groups cannot share an address, nor a group and a site; sites can."""
    taken = Taken()
    entries: list[tuple[Path, Sequence[str], bool]] = [(path, group.listen, False) for path, group in groups]
    entries += [(("sites", name), addresses_of(site), True) for name, site in sites.items()]
    for path, listen, shared in entries:
        written = len(sites[str(path[1])].listen) if shared else len(listen)
        for i, text in enumerate(listen):
            here: Path = (*path, "listen", i) if i < written else (*path, "http-redirect")
            other = taken.add(addresses.parse(text), here, shared=shared)
            if other is not None:
                _address_twice(text, other[1], here, other[2], findings)


def _address_twice(text: str, other: str, here: Path, there: Path, findings: list[Finding]) -> None:
    related = ((there, "first used here"),)
    if text == other:
        findings.append(Finding("WG0409", here, f"{text} is listened on twice", "use another port", related))
    else:
        message = f"{text} and {other} cannot both be listened on: one of them takes every address of that port"
        findings.append(Finding("WG0409", here, message, "use another port, or specific addresses only", related))


def check_tls(sites: Mapping[str, Site], findings: list[Finding]) -> None:
    """An address speaks TLS, or does not: a client says what host it wants only after that is decided."""
    first: dict[str, tuple[bool, Path]] = {}
    for key, site in sites.items():
        path: Path = ("sites", key)
        for address in addresses_of(site):
            tls = speaks_tls(site, address)
            other, there = first.setdefault(address, (tls, path))
            if other != tls:
                message = f"{address} {'speaks TLS' if tls else 'does not speak TLS'} for {key}, and {there[1]} has it "
                message += "without" if tls else "with TLS"
                hint = "give both a certificate, or one of them another address"
                findings.append(Finding("WG0417", path, message, hint, ((there, "the other site"),), at_key=True))
        if site.certificate is None:
            for option in ("http-redirect", "hsts", "tls-minimum"):
                if site.is_set(option):
                    message = f"{option} is for sites with a certificate, and {key} has none"
                    findings.append(Finding("WG0419", (*path, option), message, "set certificate, or leave it out"))


def check_names(sites: Mapping[str, Site], findings: list[Finding]) -> None:
    """A host name on one address belongs to one site."""
    by_address: dict[str, list[str]] = {}
    for key, site in sites.items():
        for address in addresses_of(site):
            by_address.setdefault(address, []).append(key)
    left = _MAXIMUM_PAIRS
    done: set[tuple[str, ...]] = set()
    for address, keys in by_address.items():
        if len(keys) < 2 or tuple(keys) in done:
            continue  # the same sites were compared on another address
        done.add(tuple(keys))
        seen: dict[str, str] = {}
        for key in keys:
            site = sites[key]
            for name in (server_name(key, site), *site.aliases):
                other = seen.setdefault(name, key)
                if other != key:
                    related = ((("sites", other), "first named here"),)
                    text = f"{name} on {address} belongs to two sites, the first one answers"
                    findings.append(Finding("WG0415", ("sites", key), text, None, related, at_key=True))
            left -= 1 + len(site.aliases)
            if left < 0:
                return
