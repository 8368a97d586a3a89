"""What a group's processes load: its own application and, where it listens itself, those that sites mount for it.

Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.spec import Application

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgigroups.config import Configuration, Group
    from wsgigroups.config.models.site import Mount


def mounts_of(configuration: Configuration) -> dict[str, list[Mount]]:
    """Return the mounts that lead to each group, in the order of the configuration."""
    found: dict[str, list[Mount]] = {}
    for site in configuration.sites.values():
        for mount in site.mounts:
            name = mount.process_group or site.process_group
            if name is not None:
                found.setdefault(name, []).append(mount)
    return found


def applications_of(group: Group, mounts: Sequence[Mount]) -> tuple[Application, ...]:
    """Return the applications by their prefixes, none if it has nothing to answer with.

    Where two sites mount at one path, the first one's counts, as for a request whose host no site has.
    """
    own = _application(group.app, group.script, group.callable_object)
    found: dict[str, Application] = {}
    for mount in mounts if group.listen else ():
        application = _application(mount.app, mount.script, mount.callable_object) or own
        if application:
            found.setdefault(mount.path, replace(application, mount=mount.path))
    if own:
        found.setdefault("/", own)
    return tuple(found.values())


def text_of(applications: tuple[Application, ...]) -> str:
    """For people, and to tell whether they are others; one at the root is named without it."""
    if len(applications) == 1 and applications[0].mount == "/":
        return _named(applications[0])
    return ", ".join(f"{item.mount}: {_named(item)}" for item in sorted(applications, key=lambda item: item.mount))


def _application(app: str | None, script: object, callable_object: str) -> Application | None:
    if app is not None:
        return Application("callable", app)
    return Application("script", str(script), callable_object) if script is not None else None


def _named(application: Application) -> str:
    if application.kind == "script":
        return f"{application.target}:{application.callable_object}"
    return application.target
