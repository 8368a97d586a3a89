"""Options whose default is the value of another option: which one it is, and where that stands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.models.base import describe
from wsgigroups.config.models.cluster import WorkloadOptions
from wsgigroups.config.shape import CLUSTER_OPTIONS, GATEWAY_OPTIONS, OPTIONS, SERVER_OPTIONS, SITE_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.models.base import Option, OptionModel
    from wsgigroups.config.source import Path

# Kind of table and option → tables and options in the order in which they are asked; "" is the table itself.
_FOLLOWED: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("group", "eviction-timeout"): (("", "graceful-timeout"),),
    ("group", "response-socket-timeout"): (("", "socket-timeout"),),
    ("group", "socket-timeout"): (("server", "timeout"),),
    ("group", "user"): (("server", "user"),),
    ("group", "group"): (("server", "group"),),
    ("group", "socket-user"): (("gateway", "user"), ("server", "user")),
    ("group", "error-log"): (("site", "error-log"), ("server", "error-log")),
    ("gateway", "user"): (("server", "user"),),
    ("site", "error-log"): (("server", "error-log"),),
    ("mount", "process-group"): (("site", "process-group"),),
    **{("cluster of a group", name): (("kubernetes", name),) for name in describe(WorkloadOptions)},
}


def followed(configuration: Configuration, path: Path, name: str) -> tuple[Path, OptionModel, Option] | None:
    """Return whose value an option has that is not written itself; None: that of no other, or there is none.

    path: of the table that the option belongs to. Of several the first that is written counts, else the last one.
    """
    found = None
    for table, option in _FOLLOWED.get((_kind(path), name), ()):
        for where, model, options in _table(configuration, path, table):
            further = None if model.is_set(option) else followed(configuration, where, option)
            found = further or (where, model, options[option])
            if found[1].is_set(found[2].name):
                return found
    return found


def _kind(path: Path) -> str:
    """What table it is: group, its kubernetes, site, mount, server, gateway."""
    if path[-1:] == ("kubernetes",) and path[-3:-2] == ("groups",):
        return "cluster of a group"
    if path[-2:-1] == ("groups",):
        return "group"
    if path[-2:-1] == ("mounts",):
        return "mount"
    return "site" if path[0] == "sites" and len(path) == 2 else str(path[0])


def _table(
    configuration: Configuration, path: Path, table: str
) -> Iterator[tuple[Path, OptionModel, Mapping[str, Option]]]:
    if table == "server":
        yield ("server",), configuration.server, SERVER_OPTIONS
    elif table == "gateway":
        yield ("gateway",), configuration.gateway, GATEWAY_OPTIONS
    elif table == "kubernetes":
        yield ("kubernetes",), configuration.kubernetes, CLUSTER_OPTIONS
    elif table == "site":
        if path[0] == "sites":
            yield path[:2], configuration.sites[str(path[1])], SITE_OPTIONS
    else:
        groups = configuration.sites[str(path[1])].groups if path[0] == "sites" else configuration.groups
        yield path, groups[str(path[-1])], OPTIONS
