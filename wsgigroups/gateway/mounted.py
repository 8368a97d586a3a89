"""What a group's processes load: its own application, and those that sites mount for it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from wsgigroups.config.sites import group_of
from wsgigroups.runtime.wire.spec import Application

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wsgigroups.config import Configuration, Group
    from wsgigroups.config.models.site import Mount


def mounts_of(configuration: Configuration) -> dict[str, list[Mount]]:
    """Return the mounts that lead to each group, in the order of the configuration."""
    found: dict[str, list[Mount]] = {}
    for site in configuration.sites.values():
        for mount in site.mounts:
            name = group_of(mount, site)
            if name is not None:
                found.setdefault(name, []).append(mount)
    return found


def applications_of(group: Group, mounts: Sequence[Mount], *, linked: bool) -> tuple[Application, ...]:
    """Return the applications by their prefixes, none if it has nothing to answer with.

    linked: the gateway asks the group, tells it which of several applications it wants by their keys, and splits the
    path: where nobody else asks, one application is at the root wherever sites mount it. Where two sites mount at one
    path, the first one's counts for everybody else, as for a request whose host no site has.
    """
    own = _application(group.app, group.script, group.callable_object)
    found: dict[tuple[str, Application | None], Application] = {}
    for mount in mounts if group.listen or linked else ():
        application = _application(mount.app, mount.script, mount.callable_object) or own
        if application:
            found.setdefault((mount.path, application if linked else None), replace(application, mount=mount.path))
    if own and (group.listen or not found) and not any(path == "/" for path, _application in found):
        found["/", own] = own
    applications = tuple(found.values())
    if not linked:
        return applications
    if not group.listen and len({key_of(item) for item in applications}) == 1:
        return (replace(applications[0], mount="/"),)
    if len(applications) == 1:
        return applications
    return tuple(replace(item, key=key_of(item)) for item in applications)


def route_key(mount: Mount, group: Group, keys: Collection[str]) -> str:
    """Return what names a mount's application to its group; "" where there is but one.

    keys: of the applications that the group has.
    """
    wanted = application_at(mount, group)
    key = key_of(wanted) if wanted else ""
    return key if key in keys else ""


def application_at(mount: Mount, group: Group) -> Application | None:
    """Return what answers below a mount: its own application, or else that of its group."""
    return _application(mount.app, mount.script, mount.callable_object) or _application(
        group.app, group.script, group.callable_object
    )


def key_of(application: Application) -> str:
    """Return the name of an application wherever it is mounted: it stays the same while others come and go."""
    text = f"{application.kind}\0{application.target}\0{application.callable_object}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def text_of(applications: tuple[Application, ...], *, by_prefix: bool) -> str:
    """For people, and to tell whether they are others; one at the root is named without it.

    by_prefix: they are found by their prefixes, and so are others at other ones.
    """
    if not by_prefix:
        return ", ".join(sorted({_named(item) for item in applications}))
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
