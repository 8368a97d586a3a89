"""Checks against a host: the accounts and groups that processes run as, and what an ordinary user's manager ignores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import did_you_mean
from wsgigroups.config.principal_kinds import GROUP_MARK
from wsgigroups.host.interface import FALLBACK_USERS, Viewer

if TYPE_CHECKING:
    from wsgigroups.config.source import Path
    from wsgigroups.host.checks.checking import CheckedGroup, Checking


def check_identity(checking: Checking, member: CheckedGroup) -> None:
    """Resolve who the group runs as, and look at every account that it names."""
    group, server = member.group, checking.parts.server
    user_path: Path = (*member.path, "user") if group.user else ("server", "user")
    group_path: Path = (*member.path, "group") if group.group else ("server", "group")
    entry = find_user(checking, group.user or server.user, user_path)
    primary = group.group or server.group
    gid = find_gid(checking, primary, group_path) if primary else (entry or {}).get("gid")
    extra = []
    for i, name in enumerate(group.supplementary_groups):
        found = find_gid(checking, name, (*member.path, "supplementary-groups", i))
        if found is not None:
            extra.append(found)
    for option, other in (("script-user", group.script_user), ("socket-user", group.socket_user)):
        if other:
            find_user(checking, other, (*member.path, option), root=True)
    if group.script_group:
        find_gid(checking, group.script_group, (*member.path, "script-group"), root=True)
    for i, name in enumerate(group.operators):
        path = (*member.path, "operators", i)
        if name.startswith(GROUP_MARK):
            find_gid(checking, name.removeprefix(GROUP_MARK), path, root=True)
        else:
            find_user(checking, name, path, root=True)
    limit = checking.host.limits()["ngroups_max"]
    if limit is not None and len(extra) + 1 > limit:
        path = (*member.path, "supplementary-groups")
        checking.add("WG0622", path, f"{len(extra) + 1} groups are more than the system's {limit}")
    member.resolved = entry is not None and gid is not None
    if member.resolved and entry is not None and gid is not None:
        member.user_name, member.home = str(entry["name"]), entry["home"]
        if checking.privileged:
            member.identity = Viewer(int(entry["uid"]), int(gid), tuple(dict.fromkeys([int(gid), *extra])))
    if not checking.privileged and group.cpu_priority < 0:
        path = (*member.path, "cpu-priority")
        checking.add("WG0624", path, f"cpu-priority {group.cpu_priority} needs a manager that runs as root", "use 0")


def find_user(checking: Checking, name: str | None, path: Path, *, root: bool = False) -> dict[str, Any] | None:
    """Return the account of a name, None for one that is not there or may not be used, which is reported."""
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


def find_gid(checking: Checking, name: str, path: Path, *, root: bool = False) -> int | None:
    """Return the number of a group likewise."""
    found = int(name[1:]) if name.startswith("#") else checking.host.group(name)
    if found is None:
        hint = did_you_mean(name, checking.host.names("groups")) or f"create it: groupadd --system {name}"
        checking.add("WG0602", path, f'there is no group "{name}" on this host', hint)
    elif found == 0 and not root:
        checking.add("WG0603", path, f'"{name}" is group 0 on this host, root\'s', "name an ordinary group")
        return None
    return found


def check_ignored(checking: Checking, members: list[CheckedGroup]) -> None:
    """Say once what an ordinary user's manager leaves out."""
    if checking.privileged:
        return
    for member in members:
        if member.group.chroot:
            message = "only a manager that runs as root can change the root directory of a process"
            checking.add("WG0642", (*member.path, "chroot"), message, "run the manager as root, or leave chroot out")
    options = ("user", "group", "supplementary-groups", "socket-user")
    for option in options:
        written = [member for member in members if getattr(member.group, option.replace("-", "_"))]
        if written:
            more = f", and in {len(written) - 1} more groups" if len(written) > 1 else ""
            path = (*written[0].path, option)
            checking.add("WG0621", path, f"{option} has no effect here{more}: the manager would not be root")
