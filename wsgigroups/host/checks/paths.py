"""Directories, files and locales of a group on a host. Asks only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wsgigroups.config.diagnostics import suggestion
from wsgigroups.host.interface import HIDDEN

if TYPE_CHECKING:
    from wsgigroups.config.source import Path
    from wsgigroups.host.checks.checking import CheckedGroup, Checking


def check_paths(checking: Checking, member: CheckedGroup) -> None:
    """Everything the group names has to be there, and its user has to get at it."""
    check_presence(checking, member)
    for option, value in (("lang", member.group.lang), ("locale", member.group.locale)):
        if value is not None:
            checking.attempt(lambda option=option, value=value: _locale(checking, member, option, value))  # type: ignore[misc]


def check_presence(checking: Checking, member: CheckedGroup) -> None:
    """The same without locales, which a program has to be asked for."""
    group = member.group
    for i, directory in enumerate(group.python_path):
        _directory(checking, member, (*member.path, "python-path", i), member.inside(directory), "WG0612", "use")
    for option, value, purpose in (
        ("home", group.home and member.inside(group.home), "use"),
        ("python-eggs", group.python_eggs and member.inside(group.python_eggs), "write"),
        ("chroot", group.chroot if checking.privileged else None, "use"),
    ):
        if value is not None:
            _directory(checking, member, (*member.path, option), value, "WG0613", purpose)
    _confinement(checking, member)
    for i, file in enumerate(group.environment_files):
        checking.attempt(lambda i=i, file=file: _environment_file(checking, member, i, file))  # type: ignore[misc]


def _confinement(checking: Checking, member: CheckedGroup) -> None:
    """What is not there cannot be protected, and an ordinary user's manager cannot mount a /proc."""
    group = member.group
    for option, paths in (
        ("read-only-paths", group.read_only_paths),
        ("read-write-paths", group.read_write_paths),
        ("inaccessible-paths", group.inaccessible_paths),
    ):
        for i, name in enumerate(paths):

            def check(place: Path = (*member.path, option, i), name: str = name) -> None:
                if checking.host.path(name) is None and (checking.privileged or not _hidden(checking, name)):
                    checking.add("WG0636", place, f"{name} is not there", "make it, or leave it out")

            checking.attempt(check)
    if group.protect_proc != "default" and not checking.privileged:
        message = "only a manager that runs as root can hide processes"
        checking.add("WG0637", (*member.path, "protect-proc"), message, "leave it out")


def _directory(checking: Checking, member: CheckedGroup, path: Path, directory: str, code: str, purpose: str) -> None:
    def check() -> None:
        kind = checking.host.path(directory)
        if kind is None:
            if checking.privileged or not _hidden(checking, directory):
                checking.add(code, path, f"there is no directory {directory}", None)
            return
        if kind == HIDDEN:
            return
        if kind != "directory":
            checking.add(code, path, f"{directory} is not a directory", None)
            return
        if checking.privileged and member.identity is None:
            return
        blocked = checking.host.blocked(purpose, directory, member.identity)
        if blocked is not None:
            who = member.user_name if member.identity else "this user"
            verb = "write to" if purpose == "write" and blocked == directory else "enter"
            checking.add("WG0623", path, f"{who} cannot {verb} {blocked}", None)

    checking.attempt(check)


def _hidden(checking: Checking, directory: str) -> bool:
    """Whether a parent is closed to us, so that we cannot say what is below it."""
    parent = os.path.dirname(directory)
    while parent != "/" and checking.host.path(parent) is None:
        parent = os.path.dirname(parent)
    return checking.host.path(parent) == "directory" and checking.host.blocked("use", parent, None) is not None


def _environment_file(checking: Checking, member: CheckedGroup, i: int, file: str) -> None:
    path: Path = (*member.path, "environment-files", i)
    kind = checking.host.path(file)
    if kind is None:
        checking.add("WG0618", path, f"there is no file {file}", None)
    elif kind not in ("file", HIDDEN):
        checking.add("WG0618", path, f"{file} is not a file", None)
    elif not checking.privileged and checking.host.blocked("read", file, None) is not None:
        checking.add("WG0618", path, f"this user cannot read {file}", None)
    else:
        refused = checking.host.refused_line(file)
        if refused is not None:
            checking.add("WG0618", path, f"{file}: {refused[0]}", refused[1])


def _locale(checking: Checking, member: CheckedGroup, option: str, value: str) -> None:
    known = checking.host.locales()
    if not known or value in ("C", "POSIX") or _plain(value) in {_plain(name) for name in known}:
        return
    near = suggestion(value, known)
    hint = f'did you mean "{near}"?' if near else f"generate it: locale-gen {value}"
    checking.add("WG0617", (*member.path, option), f'there is no locale "{value}" on this host', hint)


def _plain(name: str) -> str:
    """`en_US.UTF-8` and `en_US.utf8` are the same to the C library."""
    base, _dot, encoding = name.partition(".")
    return f"{base}.{encoding.lower().replace('-', '')}"
