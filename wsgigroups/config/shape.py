"""The shape of a configuration file: which keys and tables may stand where, derived from the models. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.models.base import Option, describe
from wsgigroups.config.models.cluster import ClusterOptions, GroupClusterOptions
from wsgigroups.config.models.group import Group
from wsgigroups.config.models.rollout import RolloutOptions
from wsgigroups.config.models.server import ServerDefaults
from wsgigroups.config.models.site import Gateway, Mount, Site, Static

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONS: Mapping[str, Option] = describe(Group)
ROLLOUT_OPTIONS: Mapping[str, Option] = describe(RolloutOptions)
GROUP_CLUSTER_OPTIONS: Mapping[str, Option] = describe(GroupClusterOptions)
CLUSTER_OPTIONS: Mapping[str, Option] = describe(ClusterOptions)
SERVER_OPTIONS: Mapping[str, Option] = describe(ServerDefaults)
GATEWAY_OPTIONS: Mapping[str, Option] = describe(Gateway)
SITE_OPTIONS: Mapping[str, Option] = describe(Site)
MOUNT_OPTIONS: Mapping[str, Option] = describe(Mount)
STATIC_OPTIONS: Mapping[str, Option] = describe(Static)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with known keys: options, and tables below it."""

    what: str  # as in "unknown key in a group"
    options: Mapping[str, Option] = field(default_factory=dict)
    tables: Mapping[str, Table | Named | Repeated] = field(default_factory=dict)
    plain: tuple[str, ...] = ()  # keys that are no options: version, include

    def known(self) -> list[str]:
        """Every key that may stand in it."""
        return [*self.plain, *self.options, *self.tables]


@dataclass(frozen=True, slots=True)
class Named:
    """A table whose keys are names chosen by people."""

    what: str
    of: Table


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list of tables."""

    what: str
    of: Table


_OF_A_GROUP: dict[str, Table | Named | Repeated] = {
    "rollout": Table("a rollout", ROLLOUT_OPTIONS),
    "kubernetes": Table("the table kubernetes of a group", GROUP_CLUSTER_OPTIONS),
}
GROUP = Table("a group", OPTIONS, _OF_A_GROUP)
DEFAULTS = Table("[defaults]", OPTIONS, _OF_A_GROUP)
SERVER = Table("[server]", SERVER_OPTIONS)
GATEWAY = Table("[gateway]", GATEWAY_OPTIONS)
CLUSTER = Table("[kubernetes]", CLUSTER_OPTIONS)
SITE = Table(
    "a site",
    SITE_OPTIONS,
    {
        "mounts": Repeated("mounts", Table("a mount", MOUNT_OPTIONS)),
        "static": Repeated("static directories", Table("a static directory", STATIC_OPTIONS)),
        "groups": Named("groups", GROUP),
    },
)
_SECTIONS: dict[str, Table | Named | Repeated] = {
    "server": SERVER,
    "gateway": GATEWAY,
    "kubernetes": CLUSTER,
    "groups": Named("groups", GROUP),
    "sites": Named("sites", SITE),
}
DOCUMENT = Table("the configuration", {}, _SECTIONS, ("version",))
PROFILE = Table("a profile", {}, {"defaults": DEFAULTS, **_SECTIONS})
FILE = Table(
    "the file",
    {},
    {"defaults": DEFAULTS, **_SECTIONS, "profiles": Named("profiles", PROFILE)},
    ("version", "include"),
)
