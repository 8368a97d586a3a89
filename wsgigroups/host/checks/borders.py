"""Borders between the users of a host: paths that root uses, what groups share, who reads secrets. Asks only."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING, Any

from wsgigroups.config import addresses
from wsgigroups.config.kinds import is_stream
from wsgigroups.config.reports.covering import SOUNDS_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsgigroups.config.source import Path
    from wsgigroups.host.checks.checking import CheckedGroup, Checking

_LOOPBACK: dict[int, Any] = {4: ipaddress.ip_network("127.0.0.0/8"), 6: ipaddress.ip_network("::1/128")}
_CREDENTIALS = re.compile(r"://[^/@:]*:[^/@]+@")  # in a URL (RFC 3986 section 3.2.1)


def check_borders(checking: Checking, members: Sequence[CheckedGroup]) -> None:
    """All of it; most only where the manager would be root, and so serve several users."""
    check_sharing(checking, members)
    if not checking.privileged:
        return
    for path, place in dict(_paths_of_root(checking, members)).items():
        checking.attempt(lambda path=path, place=place: _check_path(checking, path, place))  # type: ignore[misc]
    _check_logs(checking, members)


def check_sharing(checking: Checking, members: Sequence[CheckedGroup]) -> None:
    """What is only warned of: groups of one user, secrets that others can read, proxies that anybody can be."""
    checking.attempt(lambda: _check_secrets(checking, members))
    if not checking.privileged:
        return
    _check_users(checking, members)
    for member in members:
        _check_proxies(checking, member)


def log_of(checking: Checking, member: CheckedGroup) -> tuple[Path, str] | None:
    """Where a group's log is named, and its path; None for the default in the log directory."""
    if member.group.error_log:
        return (*member.path, "error-log"), str(member.group.error_log)
    if member.site is not None and member.site.error_log:
        return (*member.path[:2], "error-log"), str(member.site.error_log)
    server = checking.parts.server
    return (("server", "error-log"), str(server.error_log)) if server.error_log else None


def _paths_of_root(checking: Checking, members: Sequence[CheckedGroup]) -> Iterator[tuple[Path, str]]:
    """What the manager itself opens, makes or enters, by where it is written."""
    server = checking.parts.server
    if server.error_log and not is_stream(server.error_log):
        yield ("server", "error-log"), str(server.error_log)
    for name, site in checking.parts.sites.items():
        if site.error_log and not is_stream(site.error_log):
            yield ("sites", name, "error-log"), str(site.error_log)
    for member in members:
        if member.group.error_log and not is_stream(member.group.error_log):
            yield (*member.path, "error-log"), str(member.group.error_log)
        if member.group.chroot:
            yield (*member.path, "chroot"), str(member.group.chroot)
        for i, text in enumerate(member.group.listen):
            socket = addresses.parse(text).path
            if socket is not None:
                # its file belongs to socket-user; that one can do nothing with it where it cannot replace it
                yield (*member.path, "listen", i), os.path.dirname(socket)


def _check_path(checking: Checking, path: Path, place: str) -> None:
    foreign = checking.host.untrusted(place)
    if foreign is not None:
        message = f"another user than root can change {foreign}, and root would use {place}"
        checking.add("WG0631", path, message, "name a path whose directories only root can write")


def _check_logs(checking: Checking, members: Sequence[CheckedGroup]) -> None:
    """Two users, one file by two names: each could write over what the other wrote. By one name nobody writes it."""
    first: dict[str, tuple[CheckedGroup, str]] = {}
    said: set[Path] = set()
    for member in members:
        found = log_of(checking, member)
        if found is None or member.identity is None or is_stream(found[1]):
            continue  # nobody gets the manager's own stream
        path, log = found
        other, name = first.setdefault(os.path.normpath(log), (member, log))
        if name == log or other.identity is None or other.identity.uid == member.identity.uid or path in said:
            continue
        said.add(path)
        who = f"{other.path[-1]} ({other.user_name}) and {member.path[-1]} ({member.user_name})"
        checking.add(
            "WG0632", path, f"{who} would share {log}", "name it in the same way, or give each user a log of its own"
        )


def _check_users(checking: Checking, members: Sequence[CheckedGroup]) -> None:
    by_uid: dict[int, list[CheckedGroup]] = {}
    for member in members:
        if member.identity is not None:
            by_uid.setdefault(member.identity.uid, []).append(member)
    for found in by_uid.values():
        if len(found) > 1:
            last = found[-1]
            path: Path = (*last.path, "user") if last.group.user else last.path
            names = [str(member.path[-1]) for member in found]
            listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            message = f"{listed} all run as {last.user_name}: nothing protects them from each other"
            checking.add("WG0633", path, message, "give each a user of its own where they must not trust each other")


def _check_secrets(checking: Checking, members: Sequence[CheckedGroup]) -> None:
    said: set[str] = set()
    for member in members:
        for name, value in (member.group.environment or {}).items():
            if not value or not (SOUNDS_SECRET.search(name) or _CREDENTIALS.search(value)):
                continue
            path: Path = (*member.path, "environment", name)
            file = checking.parts.file_of(path)
            if file == "<stdin>" or file in said or value not in checking.parts.texts.get(file, ""):
                continue  # where it comes from a variable the file does not hold it
            said.add(file)
            if checking.host.open_to_others(file):
                message = f"every user of this host can read {file}, which sets {name}"
                checking.add("WG0634", path, message, f"chmod o-r {file}, or put it into a file of environment-files")


def _check_proxies(checking: Checking, member: CheckedGroup) -> None:
    if all(addresses.parse(text).path is not None for text in member.group.listen):
        return
    for i, text in enumerate(member.group.trusted_proxies):
        if _is_local(str(text)):
            message = f"every user of this host can connect from {text}, and would be believed as a proxy"
            hint = 'listen on a UNIX socket with socket-user, and set trusted-proxies = ["unix"]'
            checking.add("WG0635", (*member.path, "trusted-proxies", i), message, hint)


def _is_local(text: str) -> bool:
    """Whether a network of trusted-proxies has an address that local users connect from."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False  # "unix"
    return network.overlaps(_LOOPBACK[network.version])
