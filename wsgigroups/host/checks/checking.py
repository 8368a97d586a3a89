"""One run of the checks against a host: what it is about, and what it has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.sites import group_of
from wsgigroups.host.interface import Asking, UnknownError, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wsgigroups.config.build import Parts
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.site import Mount, Site
    from wsgigroups.config.source import Path


@dataclass(slots=True)
class CheckedGroup:
    """One group on that host. identity: None when the manager is not root, or the names could not be resolved."""

    path: Path
    group: Group
    site: Site | None
    identity: Viewer | None = None
    user_name: str = ""
    home: str | None = None
    resolved: bool = True
    runnable: bool = True  # False once its interpreter was refused

    def inside(self, path: str) -> str:
        """Where on the host that is what the group's processes see at this path: in their root directory."""
        return f"{self.group.chroot}{path}" if self.group.chroot else path


@dataclass(slots=True)
class Checking:
    """One run over all groups."""

    parts: Parts
    host: Asking
    privileged: bool
    findings: list[Finding] = field(default_factory=list)
    unanswered: int = 0
    _mounts: dict[str, list[tuple[Path, Mount]]] | None = None  # by group

    def add(self, code: str, path: Path, message: str, hint: str | None = None) -> None:
        """Report."""
        self.findings.append(Finding(code, path, message, hint))

    def mounts_of(self, group: str) -> Sequence[tuple[Path, Mount]]:
        """The mounts that lead to a group, with their places. All sites are looked through once, for all groups."""
        found = self._mounts
        if found is None:
            found = self._mounts = {}
            for key, site in self.parts.sites.items():
                for number, mount in enumerate(site.mounts):
                    name = group_of(mount, site)
                    if name is not None:
                        found.setdefault(name, []).append((("sites", key, "mounts", number), mount))
        return found.get(group, ())

    def attempt(self, check: Callable[[], object]) -> None:
        """Run a check; one that the host cannot answer is counted."""
        try:
            check()
        except UnknownError:
            self.unanswered += 1


def members_of(parts: Parts) -> Iterator[CheckedGroup]:
    """Yield all groups, those of sites after the others."""
    for name, group in parts.groups.items():
        yield CheckedGroup(("groups", name), group, None)
    for site_name, site in parts.sites.items():
        for name, group in site.groups.items():
            yield CheckedGroup(("sites", site_name, "groups", name), group, site)
