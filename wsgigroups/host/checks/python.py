"""Interpreters and applications on a host: found, usable by the group's user, compiling. Asks only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import did_you_mean
from wsgigroups.host.interface import HIDDEN, SoughtApplication
from wsgigroups.host.interpreters import LEAST_VERSION
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config.source import Path
    from wsgigroups.host.checks.checking import CheckedGroup, Checking


def check_interpreter(checking: Checking, member: CheckedGroup) -> None:
    """python-home: there, new enough, and usable by the user it is for."""
    home = member.group.python_home
    path: Path = (*member.path, "python-home") if home else member.path
    found = checking.host.interpreter(home or "")
    if "error" in found:
        member.runnable = False
        checking.add("WG0604", path, str(found["error"]), found["hint"])
        return
    version = tuple(int(part) for part in (found["version"] or "").split(".") if part)
    if version and version < LEAST_VERSION:
        checking.add("WG0605", path, f"Python {found['version']} is too old", "daemons need CPython 3.8 or newer")
    if not checking.privileged:
        return
    executable = str(found["executable"])
    doubt = found.get("doubt")
    if doubt:
        message = f"root does not start {executable}, {member.user_name} does: {doubt}"
        checking.add("WG0607", path, message, None)
    if doubt and member.group.chroot:
        message = f"{member.user_name} starts {executable}, and cannot change the root directory"
        hint = "use an environment made with an interpreter of the system, or leave chroot out"
        checking.add("WG0641", (*member.path, "chroot"), message, hint)
    if doubt and member.group.protect_proc != "default":
        message = f"{member.user_name} starts {executable}, and only root can hide processes"
        checking.add("WG0637", (*member.path, "protect-proc"), message, "leave it out")
    if member.identity is None:
        return
    for needed in (executable, found["python_home"]):
        blocked = checking.host.blocked("use", str(needed), member.identity) if needed else None
        if blocked is not None:
            message = f"{member.user_name} cannot use {needed}: no permission to enter {blocked}"
            hint = "make the environment where that user can read it: /usr/bin/python3 -m venv /srv/NAME/venv"
            checking.add("WG0606", path, message, hint)
            member.runnable = False
            return


def applications_of(checking: Checking, member: CheckedGroup) -> Iterator[tuple[Path, SoughtApplication]]:
    """The group's own application and those of mounts that lead to it."""
    group = member.group
    entries: list[tuple[Path, str | None, str | None, str]] = []
    entries.append((member.path, group.app, group.script, group.callable_object))
    for place, mount in checking.mounts_of(str(member.path[-1])):
        entries.append((place, mount.app, mount.script, mount.callable_object))
    directories = [
        member.inside(directory) for directory in (*group.python_path, *([group.home] if group.home else []))
    ]
    identity = member.identity.key() if member.identity else ""
    for path, app, script, name in entries:
        if app is not None and not group.chroot:  # what its interpreter finds in there is not what one finds here
            where: Path = (*path, "app")
            yield where, SoughtApplication("callable", app, "", group.python_home or "", tuple(directories), identity)
        if script is not None:
            where = (*path, "script")
            yield (
                where,
                SoughtApplication(
                    "script", member.inside(script), name, group.python_home or "", tuple(directories), identity
                ),
            )


def check_applications(checking: Checking, member: CheckedGroup) -> None:
    """Scripts and modules: there, readable, compiling, with the callable in them."""
    for path, application in applications_of(checking, member):
        checking.attempt(lambda path=path, application=application: _check(checking, member, path, application))  # type: ignore[misc]


def check_scripts(checking: Checking, member: CheckedGroup) -> None:
    """Scripts alone: whether they are there."""
    for path, application in applications_of(checking, member):
        if application.kind == "script":
            checking.attempt(lambda path=path, application=application: _is_there(checking, path, application))  # type: ignore[misc]


def _is_there(checking: Checking, path: Path, application: SoughtApplication) -> bool:
    kind = checking.host.path(application.target)
    if kind is None:
        checking.add("WG0608", path, f"there is no file {application.target}", None)
    elif kind not in ("file", HIDDEN):
        checking.add("WG0608", path, f"{application.target} is not a file", None)
    return kind in ("file", HIDDEN)


def _check(checking: Checking, member: CheckedGroup, path: Path, application: SoughtApplication) -> None:
    if application.kind == "script":
        if not _is_there(checking, path, application):
            return
        blocked = checking.host.blocked("read", application.target, member.identity)
        if blocked is not None and (member.identity is not None or not checking.privileged):
            who = member.user_name if member.identity else "this user"
            what = "read it" if blocked == application.target else f"enter {blocked}"
            checking.add("WG0609", path, f"{who} cannot read {application.target}: cannot {what}", None)
            return
    if member.runnable:
        _report(checking, path, application, checking.host.application(application))


def _report(checking: Checking, path: Path, application: SoughtApplication, answer: dict[str, Any]) -> None:
    problem = answer.get("problem")
    # a tenant's interpreter answered, about a tenant's files
    message = clean(str(answer.get("message", ""))[:300])
    file = clean(str(answer.get("file") or application.target)[:4096])
    names = [clean(str(name)[:100]) for name in answer.get("names") or ()]
    if problem == "syntax":
        line = f", line {clean(str(answer['line'])[:20])}" if answer.get("line") else ""
        checking.add("WG0610", path, f"{file}{line} does not compile: {message}", None)
    elif problem == "no-module":
        hint = (did_you_mean(message.split(".")[0], names) if names else None) or "is python-path complete?"
        checking.add("WG0611", path, f'there is no module "{message}" in python-path and the environment', hint)
    elif problem == "no-callable":
        hint = did_you_mean(message, names) or (f"it has: {', '.join(names[:8])}" if names else "it binds no names")
        checking.add("WG0611", path, f'{file} has no "{message}"', hint)
    elif problem == "unreadable":
        checking.add("WG0611", path, f"cannot read {file}: {message}", None)
    elif problem == "unchecked":
        checking.add("WG0625", path, f"{application.target} was not looked at: {message}", None)
