"""User and group names to numbers, once, in the control plane. uid 0 and gid 0 are refused here.

Runs in the manager and in `plan`; reads the password and group databases, nothing else.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.principal_kinds import GROUP_MARK
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.host.interface import FALLBACK_USERS
from wsgigroups.plan.desired import OperatorsTarget

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Person:
    """Who a group's processes are. groups is the exact list for setgroups(2)."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    user_name: str
    group_name: str
    home: str | None


def resolve_person(group: str, user: str | None, primary: str | None, supplementary: Sequence[str]) -> Person:
    """Resolve names and `#number`s. user None: `www-data`, else `nobody`. Raises WsgigroupsError."""
    entry = _user(of_group("user", group), user) if user else _fallback(group)
    gid = _gid(of_group("group", group), primary) if primary else entry.pw_gid
    refuse_root(of_group("user", group), user or entry.pw_name, entry.pw_uid)
    refuse_root(of_group("group", group), primary or f"primary group of {entry.pw_name}", gid)
    place = of_group("supplementary-groups", group)
    extra = [_gid(place, name) for name in supplementary]
    for name, number in zip(supplementary, extra, strict=True):
        refuse_root(place, name, number)
    groups = tuple(dict.fromkeys([gid, *extra]))
    limit = os.sysconf("SC_NGROUPS_MAX")
    if len(groups) > limit:
        raise _invalid(place, f"{len(groups)} groups are more than the system's {limit}")
    return Person(entry.pw_uid, gid, groups, entry.pw_name, group_name(gid), entry.pw_dir or None)


def own_person() -> Person:
    """Who this process is: what daemons of a manager that is not root are."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwuid(uid)
        name, home = entry.pw_name, entry.pw_dir or None
    except KeyError:
        name, home = f"#{uid}", None
    return Person(uid, gid, tuple(os.getgroups()), name, group_name(gid), home)


def of_group(option: str, group: str) -> str:
    """How a message names an option of a group."""
    return f"{option} of group {group!r}"


def resolve_uid(place: str, name: str) -> int:
    """Resolve a user for a check, a socket's owner or a default. Raises WsgigroupsError naming the place."""
    return _user(place, name).pw_uid


def resolve_gid(place: str, name: str) -> int:
    """Resolve a group likewise."""
    return _gid(place, name)


def resolve_operators(group: str, names: Sequence[str]) -> OperatorsTarget:
    """Resolve the operators of a group. Raises WsgigroupsError."""
    place = of_group("operators", group)
    users = [name for name in names if not name.startswith(GROUP_MARK)]
    members = [name.removeprefix(GROUP_MARK) for name in names if name.startswith(GROUP_MARK)]
    return OperatorsTarget(
        frozenset(resolve_uid(place, name) for name in users), frozenset(resolve_gid(place, name) for name in members)
    )


def refuse_root(place: str, name: str, number: int) -> None:
    """Raise WsgigroupsError for uid 0 and gid 0."""
    if number == 0:
        raise _invalid(place, f"{name!r} is root's; applications never run as root")


def group_name(gid: int) -> str:
    """The name of a gid, or `#gid`."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"#{gid}"


def _invalid(place: str, what: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot use {place}: {what}", exit_code=ExitCode.USAGE)


def _number(text: str) -> int:
    return int(text[1:]) if text[1:].isascii() and text[1:].isdigit() else -1


def _user(place: str, name: str) -> pwd.struct_passwd:
    if not name.startswith("#"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            raise _invalid(place, f"there is no user {name!r} on this host") from None
    uid = _number(name)
    if uid < 0:
        raise _invalid(place, f"{name!r} is no number")
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        # a number needs no entry; without one the primary group has the same number, as in containers
        return pwd.struct_passwd((name, "x", uid, uid, "", "", ""))


def _gid(place: str, name: str) -> int:
    if not name.startswith("#"):
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            raise _invalid(place, f"there is no group {name!r} on this host") from None
    gid = _number(name)
    if gid < 0:
        raise _invalid(place, f"{name!r} is no number")
    return gid


def _fallback(group: str) -> pwd.struct_passwd:
    for name in FALLBACK_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    what = f"none is set and neither {' nor '.join(FALLBACK_USERS)} exists on this host"
    raise _invalid(of_group("user", group), what)
