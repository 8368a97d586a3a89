"""Checks against a host: who runs what there, and whether it can. Asks only; findings by path, as everywhere.

What a host cannot answer (facts recorded without these files) is counted and said once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.config.checks.host_limits import check_limits, check_listen
from wsgigroups.config.checks.host_paths import check_paths, check_static
from wsgigroups.config.checks.host_python import applications_of, check_applications, check_interpreter
from wsgigroups.config.diagnostics import Finding, did_you_mean
from wsgigroups.config.host.interface import Asking, Host, Identity, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wsgigroups.config.build import Parts
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.site import Site
    from wsgigroups.config.source import Path

FALLBACK_USERS = ("www-data", "nobody")


@dataclass(slots=True)
class Member:
    """One group on that host. identity: None when the manager is not root, or the names could not be resolved."""

    path: Path
    group: Group
    site: Site | None
    identity: Identity | None = None
    user_name: str = ""
    home: str | None = None
    resolved: bool = True
    runnable: bool = True  # False once its interpreter was refused


@dataclass(slots=True)
class Checking:
    """One run over all groups."""

    parts: Parts
    host: Asking
    privileged: bool
    findings: list[Finding] = field(default_factory=list)
    unanswered: int = 0

    def add(self, code: str, path: Path, message: str, hint: str | None = None) -> None:
        """Report."""
        self.findings.append(Finding(code, path, message, hint))

    def attempt(self, check: Callable[[], None]) -> None:
        """Run a check; one that the host cannot answer is counted."""
        try:
            check()
        except UnknownError:
            self.unanswered += 1


def check_host(parts: Parts, host: Host) -> list[Finding]:
    """Return what is wrong on this host."""
    asking = Asking(host)
    checking = Checking(parts, asking, asking.privileged())
    members = list(_members(parts))
    for member in members:
        checking.attempt(lambda member=member: _check_identity(checking, member))  # type: ignore[misc]
    for member in members:
        checking.attempt(lambda member=member: check_interpreter(checking, member))  # type: ignore[misc]
        check_paths(checking, member)
        checking.attempt(lambda member=member: check_listen(checking, member))  # type: ignore[misc]
    asking.prepare(
        [
            application
            for member in members
            if member.runnable
            for _path, application in applications_of(checking, member)
        ]
    )
    for member in members:
        check_applications(checking, member)
    check_static(checking)
    checking.attempt(lambda: check_limits(checking, members))
    _check_ignored(checking, members)
    if checking.unanswered:
        message = f"{checking.unanswered} checks were left out: the recorded facts do not answer them"
        hint = "record the facts with these files: wsgigroups facts -o json FILE… > facts.json"
        checking.findings.append(Finding("WG0625", (), message, hint))
    return checking.findings


def _members(parts: Parts) -> Iterator[Member]:
    for name, group in parts.groups.items():
        yield Member(("groups", name), group, None)
    for site_name, site in parts.sites.items():
        for name, group in site.groups.items():
            yield Member(("sites", site_name, "groups", name), group, site)


def _check_identity(checking: Checking, member: Member) -> None:
    group, server = member.group, checking.parts.server
    user_path: Path = (*member.path, "user") if group.user else ("server", "user")
    group_path: Path = (*member.path, "group") if group.group else ("server", "group")
    entry = _user(checking, group.user or server.user, user_path)
    primary = group.group or server.group
    gid = _gid(checking, primary, group_path) if primary else (entry or {}).get("gid")
    extra = []
    for i, name in enumerate(group.supplementary_groups):
        found = _gid(checking, name, (*member.path, "supplementary-groups", i))
        if found is not None:
            extra.append(found)
    for option, other in (("script-user", group.script_user), ("socket-user", group.socket_user)):
        if other:
            _user(checking, other, (*member.path, option), root=True)
    if group.script_group:
        _gid(checking, group.script_group, (*member.path, "script-group"), root=True)
    limit = checking.host.limits()["ngroups_max"]
    if limit is not None and len(extra) + 1 > limit:
        path = (*member.path, "supplementary-groups")
        checking.add("WG0622", path, f"{len(extra) + 1} groups are more than the system's {limit}")
    member.resolved = entry is not None and gid is not None
    if member.resolved and entry is not None and gid is not None:
        member.user_name, member.home = str(entry["name"]), entry["home"]
        if checking.privileged:
            member.identity = Identity(int(entry["uid"]), int(gid), tuple(dict.fromkeys([int(gid), *extra])))
    if not checking.privileged and group.cpu_priority < 0:
        path = (*member.path, "cpu-priority")
        checking.add("WG0624", path, f"cpu-priority {group.cpu_priority} needs a manager that runs as root", "use 0")


def _user(checking: Checking, name: str | None, path: Path, *, root: bool = False) -> dict[str, Any] | None:
    if name is None:
        for fallback in FALLBACK_USERS:
            found = checking.host.user(fallback)
            if found is not None:
                return found
        return None
    found = checking.host.user(name)
    if found is None and name.startswith("#"):
        # a number needs no entry; its group has the same number then, as in containers
        found = {"name": name, "uid": int(name[1:]), "gid": int(name[1:]), "home": None}
    if found is None:
        hint = did_you_mean(name, checking.host.names("users")) or f"create it: useradd --system {name}"
        checking.add("WG0601", path, f'there is no user "{name}" on this host', hint)
    elif found["uid"] == 0 and not root:
        checking.add("WG0603", path, f'"{name}" is user 0 on this host, root', "name an ordinary user")
        return None
    return found


def _gid(checking: Checking, name: str, path: Path, *, root: bool = False) -> int | None:
    found = int(name[1:]) if name.startswith("#") else checking.host.group(name)
    if found is None:
        hint = did_you_mean(name, checking.host.names("groups")) or f"create it: groupadd --system {name}"
        checking.add("WG0602", path, f'there is no group "{name}" on this host', hint)
    elif found == 0 and not root:
        checking.add("WG0603", path, f'"{name}" is group 0 on this host, root\'s', "name an ordinary group")
        return None
    return found


def _check_ignored(checking: Checking, members: list[Member]) -> None:
    """Say once what an ordinary user's manager leaves out."""
    if checking.privileged:
        return
    options = ("user", "group", "supplementary-groups", "chroot", "socket-user")
    for option in options:
        written = [member for member in members if getattr(member.group, option.replace("-", "_"))]
        if written:
            more = f", and in {len(written) - 1} more groups" if len(written) > 1 else ""
            path = (*written[0].path, option)
            checking.add("WG0621", path, f"{option} has no effect here{more}: the manager would not be root")
