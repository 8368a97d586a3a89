"""What the configuration asks for, resolved to numbers: one frozen target per group. Pure data.

Built by `wsgigroups.targets.resolve`; stored as JSON with each revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from wsgigroups.lifecycle.watch import Rules
from wsgigroups.plan.routing import RoutingTarget, routing_from_json
from wsgigroups.plan.scaling import ScalingTarget, scaling_from_json
from wsgigroups.runtime.wire.spec import Spec, from_wire


@dataclass(frozen=True, slots=True)
class ListenerTarget:
    """One bound socket of a group. Bytes; 0 leaves the system's buffer sizes."""

    address: str
    backlog: int = 100
    receive_buffer_size_bytes: int = 0
    send_buffer_size_bytes: int = 0
    owner_uid: int | None = None  # of a UNIX socket's file, mode 0600


@dataclass(frozen=True, slots=True)
class SpawnerTarget:
    """Which interpreter forks the group's daemons. lang and locale are decided before it starts."""

    key: str
    executable: str
    lang: str | None = None
    locale: str | None = None
    version: str = ""
    uid: int | None = None  # whose process it is, one that is not trusted; None: the manager's own user's
    gid: int = 0
    groups: tuple[int, ...] = ()
    whose: str = ""  # for people


@dataclass(frozen=True, slots=True)
class CgroupTarget:
    """Limits of a group's cgroup. Bytes, per cent of one processor; 0 is none."""

    memory_high_bytes: int = 0
    memory_max_bytes: int = 0
    cpu_weight: int = 0
    cpu_quota_percent: int = 0
    tasks_max: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """A number of processes, or so many per cent of all."""

    number: int
    percent: bool = False

    @classmethod
    def written(cls, value: int | str) -> Share:
        """As options have it: 2, or "25%"."""
        return cls(int(value[:-1]), percent=True) if isinstance(value, str) else cls(value)

    def up(self, processes: int) -> int:
        """How many of these processes, a part of one being one."""
        return -(-processes * self.number // 100) if self.percent else self.number

    def down(self, processes: int) -> int:
        """How many of these processes, a part of one being none."""
        return processes * self.number // 100 if self.percent else self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


@dataclass(frozen=True, slots=True)
class RolloutTarget:
    """How the processes of a group are replaced. Seconds; the error rate is in per cent, 0 turns it off."""

    max_surge: Share = Share(25, percent=True)
    max_unavailable: Share = Share(0)
    min_ready_time_s: float = 5.0
    canary: Share = Share(1)
    canary_time_s: float = 0.0
    abort_error_rate: int = 50
    abort_minimum_requests: int = 20


@dataclass(frozen=True, slots=True)
class LogTarget:
    """How a group's log is written. 0 is none."""

    format: str = "text"
    rotate_bytes: int = 0
    rotate_keep: int = 0
    rotate_age_s: float = 0.0
    records_per_s: int = 0  # of each process
    shared: bool = False  # with processes of another user


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """One group as it should be."""

    name: str
    processes: int
    fingerprint: str  # over the options with effect replace and the addresses
    options: Mapping[str, str]  # effective values as text, by option name; secrets only as digests
    spec: Spec  # of every process; slot and life still 0
    listeners: tuple[ListenerTarget, ...]
    spawner: SpawnerTarget
    rules: Rules = field(default_factory=Rules)
    startup_timeout_s: float = 0.0
    log_path: str = ""
    user: str | None = None  # for status; None when the manager is not root
    group: str | None = None
    notices: tuple[str, ...] = ()  # said in plan
    cgroup: CgroupTarget = field(default_factory=CgroupTarget)
    release: str = ""  # what its people call its code; nothing is looked at then
    watch: tuple[str, ...] = ()  # what of its code is looked at, where that was said
    code: Mapping[str, str] = field(default_factory=dict)  # part of its code → digest; a part that is missing: unknown
    rollout: RolloutTarget = field(default_factory=RolloutTarget)
    routing: RoutingTarget | None = None  # of the gateway alone
    log: LogTarget = field(default_factory=LogTarget)
    scaling: ScalingTarget | None = None  # where the number of processes follows the load: `processes` is the first

    @property
    def uid(self) -> int | None:
        """Whose processes these are; None: they are the manager's user's."""
        return self.spec.identity.uid if self.spec.identity else None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        data: dict[str, Any] = _plain(self)
        return data


def _plain(value: Any) -> Any:
    """Do what `asdict` does, without a deep copy of every text: what targets consist of does not change."""
    kind = type(value)
    if kind is tuple or kind is list:
        return kind(map(_plain, value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def target_from_json(data: Mapping[str, Any]) -> GroupTarget:
    """Build a target from `to_json`'s data. Raises KeyError, TypeError for another shape."""
    values = dict(data)
    values["listeners"] = tuple(ListenerTarget(**item) for item in values["listeners"])
    spawner = SpawnerTarget(**values["spawner"])
    values["spawner"] = replace(spawner, groups=tuple(spawner.groups))
    values["spec"] = from_wire(dict(values["spec"]))
    known = {item.name for item in fields(Rules)}
    values["rules"] = Rules(**{name: value for name, value in values.get("rules", {}).items() if name in known})
    values["cgroup"] = CgroupTarget(**values.get("cgroup", {}))
    values["rollout"] = _rollout_from_json(values.get("rollout", {}))
    values["notices"] = tuple(values.get("notices", ()))
    values["watch"] = tuple(values.get("watch", ()))
    values["log"] = LogTarget(**values.get("log", {}))
    values["scaling"] = scaling_from_json(values.get("scaling"))
    routing = values.get("routing")
    values["routing"] = routing_from_json(routing) if routing is not None else None
    return GroupTarget(**values)


def _rollout_from_json(data: Mapping[str, Any]) -> RolloutTarget:
    """Build what an earlier version may not have stored, or only in part."""
    known = {item.name for item in fields(RolloutTarget)}
    found: dict[str, Any] = {name: Share(**value) if isinstance(value, dict) else value for name, value in data.items()}
    return RolloutTarget(**{name: value for name, value in found.items() if name in known})


Desired = Mapping[str, GroupTarget]
