"""A group as a cluster has it: what the file says of it, and what follows. Pure.

Sizes are bytes, times seconds. What a cluster cannot honour is `checks`' to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsgigroups.config.addresses import parse
from wsgigroups.config.counted_kinds import AUTO
from wsgigroups.interop.renderers.kubernetes.names import object_name
from wsgigroups.plan.desired import Share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config import Group, ServerDefaults
    from wsgigroups.config.addresses import Address
    from wsgigroups.config.models.cluster import ClusterOptions

PORT = 8000  # of groups that listen nowhere themselves
HEALTH_PORT = 9180
LOWEST_PORT = 1024  # that an ordinary user may listen on
BASE_BYTES = 64 * 2**20  # manager, spawner and log writer
_BESIDE_PERCENT = 10  # what a process has beside what RLIMIT_DATA counts
_BUSY = 0.6  # of the threads of a pod, before there is another one


@dataclass(frozen=True, slots=True)
class KubernetesVersion:
    """The version of a cluster, from 1.23 on: the first with autoscaling/v2."""

    major: int = 1
    minor: int = 34

    @property
    def has_healthy_policy(self) -> bool:
        """Whether a budget may let pods go that are not healthy (unhealthyPodEvictionPolicy: on since 1.27)."""
        return (self.major, self.minor) >= (1, 27)

    @property
    def spreads_by_revision(self) -> bool:
        """Whether pods are spread within one revision (matchLabelKeys: on since 1.27)."""
        return (self.major, self.minor) >= (1, 27)


OLDEST = KubernetesVersion(1, 23)


@dataclass(frozen=True, slots=True)
class Workload:
    """One group. image "": nobody named one. memory_bytes 0: no limit. host: the address that the pod listens on."""

    group_name: str
    name: str
    group: Group
    image: str
    replicas: int
    replicas_max: int
    autoscale: str
    cpu: str
    user: int
    host: str
    port: int
    health_port: int
    memory_bytes: int
    busy_threads: float

    @property
    def scales(self) -> bool:
        """Whether the number of pods follows the load."""
        return self.autoscale != "none"

    @property
    def labels(self) -> dict[str, str]:
        """What every object of the group has."""
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/managed-by": "wsgigroups"}

    @property
    def selector(self) -> dict[str, str]:
        """What its pods are found by."""
        return {"app.kubernetes.io/name": self.name}


def workload_of(name: str, group: Group, cluster: ClusterOptions, server: ServerDefaults) -> Workload:
    """Return what the cluster has of a group."""

    def value(option: str) -> Any:
        own = group.kubernetes
        return getattr(own if own.is_set(option) else cluster, option)

    address = listener_of(group)
    host = "[::]" if address and ":" in (address.host or "") else "0.0.0.0"  # noqa: S104  # those of the pod alone
    port = address.port if address and address.port and address.port >= LOWEST_PORT else PORT
    health = parse(server.health_listen).port if server.health_listen else None
    return Workload(
        group_name=name,
        name=object_name(name),
        group=group,
        image=value("image") or "",
        replicas=value("replicas"),
        replicas_max=value("replicas_max") or 0,
        autoscale=value("autoscale"),
        cpu=value("cpu") or "",
        user=numeric_user(group, cluster, server) or cluster.run_as_user,
        host=host,
        port=port,
        health_port=_free(health or HEALTH_PORT, port),
        memory_bytes=memory_bytes(group),
        busy_threads=round(_BUSY * group.threads * (most_processes(group) or 1), 1),
    )


def listener_of(group: Group) -> Address | None:
    """The first address of TCP that the group listens on itself."""
    return next((address for address in map(parse, group.listen) if address.kind == "tcp"), None)


def numeric_user(group: Group, cluster: ClusterOptions, server: ServerDefaults) -> int | None:
    """The number of the user that somebody named; None: nobody did, or by a name."""
    for options in (group.kubernetes, cluster):
        if options.is_set("run-as-user"):
            return options.run_as_user
    user = group.user or server.user or ""
    return int(user[1:]) if user.startswith("#") else None


def most_processes(group: Group) -> int:
    """The most that serve at a time; 0: as many as the node has processors."""
    return max(group.processes_max or 0, group.processes) if group.processes != AUTO else group.processes_max or 0


def memory_bytes(group: Group) -> int:
    """What the pod may have: each process up to memory-limit, successors, a mold and all else. 0: nothing bounds them.

    A pod above its limit is killed as a whole (memory.oom.group, from Kubernetes 1.28 on), so that memory-limit, at
    which one process gets MemoryError, has to come first.
    """
    processes = most_processes(group)
    if not group.memory_limit or not processes:
        return 0
    successors = max(1, Share.written(group.rollout.max_surge).up(processes))
    of_processes = (processes + successors + (group.preload == "app")) * group.memory_limit
    return BASE_BYTES + -(-of_processes * (100 + _BESIDE_PERCENT) // 100)


def workloads(groups: Mapping[str, Group], cluster: ClusterOptions, server: ServerDefaults) -> Mapping[str, Workload]:
    """Return them by the names of groups."""
    return {name: workload_of(name, group, cluster, server) for name, group in groups.items()}


def _free(wanted: int, taken: int) -> int:
    return wanted if wanted != taken and wanted >= LOWEST_PORT else HEALTH_PORT + (taken == HEALTH_PORT)
