"""Sites on a host: their addresses, certificates, pages and directories, and who the gateway would be. Asks only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.sites import addresses_of, has_acme
from wsgigroups.host.checks.identity import find_gid, find_user
from wsgigroups.host.checks.machine_limits import check_address
from wsgigroups.host.interface import HIDDEN, Viewer
from wsgigroups.trust.validity import WARNING_DAYS

if TYPE_CHECKING:
    from wsgigroups.config.models.site import Site
    from wsgigroups.config.source import Path
    from wsgigroups.host.checks.checking import CheckedGroup, Checking


def check_sites(checking: Checking, members: list[CheckedGroup]) -> None:
    """Everything that sites name has to be there, and to be of use."""
    gateway = check_gateway(checking, members)
    for name, site in checking.parts.sites.items():
        path: Path = ("sites", name)
        checking.attempt(lambda path=path, site=site: _certificate(checking, path, site, gateway))  # type: ignore[misc]
        for status, file in site.error_pages.items():
            there: Path = (*path, "error-pages", status)
            checking.attempt(lambda there=there, file=file: _page(checking, there, file, gateway))  # type: ignore[misc]


def check_gateway(checking: Checking, members: list[CheckedGroup]) -> Viewer | None:
    """What serves the sites: who it is, what it takes, where it listens, its directories. No file of a site is read.

    Returns who its processes would be; None where that is whoever checks, or cannot be told.
    """
    if not checking.parts.sites:
        return None
    gateway: list[Viewer | None] = [None]

    def look() -> None:
        gateway[0] = _gateway(checking)

    checking.attempt(look)
    _check_users(checking, members, gateway[0])
    asking = next((name for name, site in checking.parts.sites.items() if has_acme(site)), None)
    if asking is not None and checking.host.lacks_acme():
        message = 'certificate = "acme" needs the library acme, and it is not installed'
        hint = "python -m pip install 'wsgigroups[acme]', with the interpreter of the manager"
        checking.add("WG0656", ("sites", asking, "certificate"), message, hint)
    checking.attempt(lambda: _engine(checking))
    for name, site in checking.parts.sites.items():
        path: Path = ("sites", name)
        checking.attempt(lambda path=path, site=site: _addresses(checking, path, site))  # type: ignore[misc]
        for i, static in enumerate(site.static):
            here: Path = (*path, "static", i, "directory")
            checking.attempt(lambda here=here, directory=static.directory: _static(checking, here, directory))  # type: ignore[misc]
    return gateway[0]


def _engine(checking: Checking) -> None:
    if checking.parts.gateway.engine == "nginx" and checking.host.lacks_nginx():
        hint = "apt install nginx-light, and leave its service disabled"
        checking.add("WG0657", ("gateway", "engine"), "nginx is not installed", hint)


def _gateway(checking: Checking) -> Viewer | None:
    """Who the gateway's processes would be; None where that is whoever checks, or cannot be told."""
    gateway, server = checking.parts.gateway, checking.parts.server
    path: Path = ("gateway", "user") if gateway.user else ("server", "user")
    user = find_user(checking, gateway.user or server.user, path)
    gid = find_gid(checking, gateway.group, ("gateway", "group")) if gateway.group else (user or {}).get("gid")
    if user is None or gid is None or not checking.privileged:
        return None
    return Viewer(int(user["uid"]), int(gid), (int(gid),))


def _check_users(checking: Checking, members: list[CheckedGroup], gateway: Viewer | None) -> None:
    """What the gateway may read, the keys of certificates above all, a group of its user, or group, may read too."""
    if gateway is None or not any(site.listen for site in checking.parts.sites.values()):
        return
    alike = [m for m in members if m.identity and (m.identity.uid == gateway.uid or gateway.gid in m.identity.groups)]
    if alike:
        names = ", ".join(str(member.path[-1]) for member in alike[:3])
        more = f" and {len(alike) - 3} more" if len(alike) > 3 else ""
        message = (
            f"{names}{more} can read what the gateway reads, keys of certificates too: they share its user or group"
        )
        hint = "give the gateway a user of its own: [gateway] user"
        checking.add("WG0655", ("gateway", "user"), message, hint)


def _addresses(checking: Checking, path: Path, site: Site) -> None:
    first_port = checking.host.limits()["unprivileged_port"]
    for i, text in enumerate(addresses_of(site)):
        place: Path = (*path, "listen", i) if i < len(site.listen) else (*path, "http-redirect")
        check_address(checking, place, parse(text), first_port)


def _certificate(checking: Checking, path: Path, site: Site, gateway: Viewer | None) -> None:
    if site.certificate is None or site.certificate_key is None:
        return
    found = checking.host.certificate(str(site.certificate), str(site.certificate_key), gateway)
    if found["problem"] is not None:
        checking.add("WG0651", (*path, found["option"]), str(found["problem"]))
    elif found["days_left"] < 0:
        message = f"{site.certificate} has ended at {found['expires_at']}: no client accepts it"
        checking.add("WG0652", (*path, "certificate"), message, "have a new one made")
    elif found["days_left"] < WARNING_DAYS:
        message = f"{site.certificate} ends at {found['expires_at']}, {found['days_left']} days from now"
        checking.add("WG0653", (*path, "certificate"), message, "have a new one made before that")


def _static(checking: Checking, path: Path, directory: str) -> None:
    if checking.host.path(directory) not in ("directory", HIDDEN):
        checking.add("WG0613", path, f"there is no directory {directory}", None)


def _page(checking: Checking, path: Path, file: str, gateway: Viewer | None) -> None:
    problem = checking.host.page(file, gateway)
    if problem is not None:
        checking.add("WG0654", path, f"{file}: {problem}")
