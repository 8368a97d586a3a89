"""Names that refer to each other: groups, applications, mounts, addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.config.capacity import MAXIMUM_SHOWN
from wsgigroups.config.checks.listening import check_addresses, check_names, check_tls
from wsgigroups.config.diagnostics import Finding, did_you_mean, path_text
from wsgigroups.config.sites import group_of, has_acme, server_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.site import Mount, Site
    from wsgigroups.config.source import Path


def check_references(
    groups: Mapping[str, Group], sites: Mapping[str, Site], dropped: Mapping[Path, set[str]], findings: list[Finding]
) -> None:
    """Add what does not fit together. dropped: keys of tables whose values were refused, so nothing is said of them."""
    named: dict[str, list[Path]] = {}
    for path, _group in _walk(groups, sites):
        named.setdefault(str(path[-1]), []).append(path)
    for name, paths in named.items():
        for path in paths[1:]:
            related = ((paths[0], "first defined here"),)
            message = f'there is another group "{name}"; names are unique over all files and sites'
            findings.append(Finding("WG0408", path, message, "rename one of the two", related, at_key=True))
    reached = _check_mounts(groups, sites, findings)
    for path, group in _walk(groups, sites):
        if group.listen:
            _check_own_listener(str(path[-1]), group, reached.get(str(path[-1]), []), findings)
        _check_application(path, group, reached, dropped.get(path, set()), findings)
    check_addresses([*_walk(groups, sites)], sites, findings)
    _check_sites({str(path[-1]): group for path, group in _walk(groups, sites)}, sites, findings)
    check_names(sites, findings)
    check_tls(sites, findings)


def _walk(groups: Mapping[str, Group], sites: Mapping[str, Site]) -> Iterator[tuple[Path, Group]]:
    for name, group in groups.items():
        yield ("groups", name), group
    for site_name, site in sites.items():
        for name, group in site.groups.items():
            yield ("sites", site_name, "groups", name), group


@dataclass(frozen=True, slots=True)
class _Usable:
    """The groups that a site may use: those of the top level, sorted, and those of its server name."""

    groups: Mapping[str, Group]
    names: list[str]
    own: list[str]

    def __contains__(self, name: str) -> bool:
        return name in self.groups or name in self.own

    def first(self) -> str:
        return min([*self.names[:1], *self.own], default="")

    def all(self) -> list[str]:
        return sorted([*self.names, *self.own])


def _check_mounts(
    groups: Mapping[str, Group], sites: Mapping[str, Site], findings: list[Finding]
) -> dict[str, list[tuple[Path, Mount]]]:
    """Return group → mounts that lead to it."""
    owners = {name: server_name(key, site) for key, site in sites.items() for name in site.groups}
    names = sorted(groups)
    own: dict[str, list[str]] = {}  # server name → groups of its sites
    for group, owner in owners.items():
        own.setdefault(owner, []).append(group)
    reached: dict[str, list[tuple[Path, Mount]]] = {}
    for key, site in sites.items():
        usable = _Usable(groups, names, own.get(server_name(key, site), []))
        if site.process_group is not None:
            where: Path = ("sites", key, "process-group")
            _check_name(site.process_group, where, key, usable, owners, findings)
        for i, mount in enumerate(site.mounts):
            path: Path = ("sites", key, "mounts", i)
            name = group_of(mount, site)
            if name is None:
                hint = "set process-group here or in the site; there is no embedded mode"
                near = f': for example "{usable.first()}"' if usable.first() else ""
                findings.append(Finding("WG0406", path, f"the mount {mount.path} has no process group", hint + near))
                continue
            if mount.process_group is not None:
                _check_name(name, (*path, "process-group"), key, usable, owners, findings)
            reached.setdefault(name, []).append((path, mount))
    return reached


def _check_name(
    name: str,
    path: Path,
    site: str,
    usable: _Usable,
    owners: Mapping[str, str],
    findings: list[Finding],
) -> None:
    if name in usable:
        return
    if name in owners:
        message = f'group "{name}" belongs to the site {owners[name]}, {site} cannot use it'
        hint = "define the group at the top level, where every site may use it"
        findings.append(Finding("WG0405", path, message, hint))
        return
    near = None
    if len(findings) < MAXIMUM_SHOWN:  # looking for what was meant takes its time; more are not shown
        known = ", ".join(usable.all()[:8])
        near = did_you_mean(name, usable.all())
        near = near or (f"groups here: {known}" if known else "there are no groups that it could use")
    findings.append(Finding("WG0404", path, f'there is no group "{name}"', near))


def _check_application(
    path: Path,
    group: Group,
    reached: Mapping[str, list[tuple[Path, Mount]]],
    dropped: set[str],
    findings: list[Finding],
) -> None:
    mounts = reached.get(str(path[-1]), [])
    own = group.app is not None or group.script is not None
    if group.app is not None and group.script is not None:
        related = (((*path, "app"), "app is set here"),)
        findings.append(Finding("WG0402", (*path, "script"), "a group has app or script, not both", None, related))
    if group.is_set("callable_object") and group.script is None and not mounts:
        hint = "with app the callable is named behind the colon: package.module:callable"
        findings.append(Finding("WG0403", (*path, "callable-object"), "callable-object belongs to script", hint))
    if group.script_user is not None and group.script_group is not None:
        related = (((*path, "script-user"), "script-user is set here"),)
        message = "script-user and script-group exclude each other"
        findings.append(Finding("WG0410", (*path, "script-group"), message, "keep one of the two", related))
    checked = "script-user" if group.script_user is not None else "script-group"
    scripts = group.script is not None or any(mount.script for _path, mount in mounts)
    if (group.script_user or group.script_group) is not None and (own or mounts) and not scripts:
        message = f"{checked} checks script files, and this group has none"
        findings.append(Finding("WG0411", (*path, checked), message, "name the application with script"))
    without = [mount_path for mount_path, mount in mounts if mount.app is None and mount.script is None]
    if not own and (without or not mounts) and not dropped & {"app", "script"}:
        name = path_text(path)
        hint = 'set app = "package.module:callable" or script = "file.wsgi"'
        findings.append(Finding("WG0401", path, f"{name} has no application", hint, at_key=True))
    if own and not group.listen and not mounts and "listen" not in dropped:
        hint = 'add listen = ["127.0.0.1:8000"], or a mount of a site'
        findings.append(Finding("WG0412", path, f"nothing leads to {path_text(path)}", hint, at_key=True))


def _check_own_listener(name: str, group: Group, mounts: list[tuple[Path, Mount]], findings: list[Finding]) -> None:
    """There the host of a request means nothing, so that a path leads to one application."""
    first: dict[str, tuple[Path, Mount]] = {}
    for path, mount in mounts:
        at, other = first.setdefault(mount.path, (path, mount))
        if _application(mount, group) != _application(other, group):
            message = f'on the addresses of "{name}" {mount.path} leads to the application that is mounted first'
            related = (((*at, "path"), "first mounted here"),)
            hint = "mount it for a group of its own, or at another path"
            findings.append(Finding("WG0416", (*path, "path"), message, hint, related))


def _application(mount: Mount, group: Group) -> tuple[object, ...]:
    own = mount if mount.app is not None or mount.script is not None else group
    return own.app, own.script, own.script and own.callable_object


def _check_sites(groups: Mapping[str, Group], sites: Mapping[str, Site], findings: list[Finding]) -> None:
    for key, site in sites.items():
        path: Path = ("sites", key)
        if not site.listen and not _only_prefixes(site, groups):
            hint = 'add listen = ["0.0.0.0:80"]'
            findings.append(Finding("WG0414", path, f"nothing listens for {key}", hint, at_key=True))
        prefixes: dict[str, Path] = {}
        for i, mount in enumerate(site.mounts):
            _check_prefix(mount.path, (*path, "mounts", i), prefixes, findings)
            _check_mount(mount, (*path, "mounts", i), findings)
        for i, static in enumerate(site.static):
            _check_prefix(static.path, (*path, "static", i), prefixes, findings)
        for first, second in (("certificate", "certificate-key"), ("certificate-key", "certificate")):
            if has_acme(site):
                continue
            if site.is_set(first) and not site.is_set(second):
                findings.append(Finding("WG0413", (*path, first), f"{first} needs {second}", f"set {second} too"))


def _only_prefixes(site: Site, groups: Mapping[str, Group]) -> bool:
    """Whether a site does nothing but tell groups that listen themselves which prefixes they have."""
    found = [groups.get(group_of(mount, site) or "") for mount in site.mounts]
    return bool(found) and not site.static and all(group is not None and group.listen for group in found)


def _check_prefix(prefix: str, path: Path, prefixes: dict[str, Path], findings: list[Finding]) -> None:
    if prefix in prefixes:
        related = (((*prefixes[prefix], "path"), "first mounted here"),)
        findings.append(Finding("WG0407", (*path, "path"), f"{prefix} is mounted twice", "change one of them", related))
    prefixes.setdefault(prefix, path)


def _check_mount(mount: Mount, path: Path, findings: list[Finding]) -> None:
    if mount.app is not None and mount.script is not None:
        related = (((*path, "app"), "app is set here"),)
        findings.append(Finding("WG0402", (*path, "script"), "a mount has app or script, not both", None, related))
    if mount.is_set("callable_object") and mount.script is None:
        findings.append(Finding("WG0403", (*path, "callable-object"), "callable-object belongs to script"))
