"""Addresses at which the manager answers whoever watches it: who may reach them, and who else wants them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config import addresses
from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.observing import is_local, is_loopback, places_of
from wsgigroups.config.sites import addresses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.config.models.site import Site
    from wsgigroups.config.source import Path


def check_observing(
    server: ServerDefaults, groups: Iterable[tuple[Path, Group]], sites: Mapping[str, Site], findings: list[Finding]
) -> None:
    """Other machines reach them only where the file says so, and nobody else listens there."""
    own = [(option, text, addresses.parse(text)) for option, text in places_of(server).by_option.items()]
    if not own:
        return
    for option, text, _address in own:
        if option == "dashboard":
            if not is_loopback(text):
                message = f"dashboard = {text!r} is no port of the loopback interface"
                hint = "take 127.0.0.1:PORT or [::1]:PORT; from another machine `ssh -L` reaches it"
                findings.append(Finding("WG0428", ("server", option), message, hint))
        elif not server.health_public and not is_local(text):
            message = f"{option} = {text!r} can be reached from other machines"
            hint = "take 127.0.0.1, [::1] or unix:/path; or set health-public = true beside it"
            findings.append(Finding("WG0426", ("server", option), message, hint))
    for place, (option, text, address) in enumerate(own):
        for before, other, there in own[:place]:
            shared = text == other and option != "dashboard"  # health-listen answers for metrics-listen, too
            if address.overlaps(there) and not shared:
                _taken(text, option, other, ("server", before), findings)
    for used, by in _others(groups, sites):
        parsed = addresses.parse(used)
        for option, text, address in own:
            if address.overlaps(parsed):
                _taken(text, option, used, by, findings)


def _others(groups: Iterable[tuple[Path, Group]], sites: Mapping[str, Site]) -> Iterator[tuple[str, Path]]:
    for path, group in groups:
        for place, text in enumerate(group.listen):
            yield text, (*path, "listen", place)
    for name, site in sites.items():
        for text in addresses_of(site):
            yield text, ("sites", name)


def _taken(text: str, option: str, other: str, there: Path, findings: list[Finding]) -> None:
    message = f"{text} and {other} cannot both be listened on"
    findings.append(Finding("WG0409", ("server", option), message, "use another port", ((there, "used here"),)))
