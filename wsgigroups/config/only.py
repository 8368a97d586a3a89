"""A configuration with some of its groups alone, and what leads to them: one file, a container for each group. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.configuration import Configuration
from wsgigroups.config.sites import group_of
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsgigroups.config.models.site import Site

# of a site whose requests come to the group's own address: what says where applications are mounted, and who may
# have which group
_MOUNTING = frozenset({"server-name", "aliases", "process-group", "mounts", "groups", "error-log"})


def only(configuration: Configuration, names: Collection[str]) -> Configuration:
    """Return the configuration with these groups alone. Raises WsgigroupsError (4) for one that is not there.

    Sites keep the mounts that lead to them, so that an application finds the same SCRIPT_NAME, and those that have none
    go. Where each of the groups listens by itself, sites do not: somebody else is in front. Else the gateway serves
    what is left of them.
    """
    known = configuration.all_groups()
    for name in names:
        if name not in known:
            raise WsgigroupsError(
                f"cannot find group {name!r} in this configuration",
                hint=f"groups here: {', '.join(known) or 'none'}",
                exit_code=ExitCode.NO_SUCH_GROUP,
            )
    alone = all(known[name].listen for name in names)
    document = configuration.to_document()
    groups = {name: group for name, group in document.get("groups", {}).items() if name in names}
    sites = {}
    for name, site in configuration.sites.items():
        kept = _site(site, document["sites"][name], names)
        if kept.get("mounts") or kept.get("groups"):
            sites[name] = {key: value for key, value in kept.items() if key in _MOUNTING} if alone else kept
    return Configuration.from_document({**document, "groups": groups, "sites": sites})


def _site(site: Site, document: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return what is left of a site."""
    mounts = zip(site.mounts, document.get("mounts", ()), strict=True)
    left = {
        "mounts": [written for mount, written in mounts if group_of(mount, site) in names],
        "groups": {name: group for name, group in document.get("groups", {}).items() if name in names},
    }
    kept = {**document, **left}
    if site.process_group not in names:
        kept.pop("process-group", None)
    return {key: value for key, value in kept.items() if value or key not in left}
