"""Groups that run and of which nothing is stored: described by what their spawners keep, and left as they are.

A state that was lost, damaged or another's is no reason to end what serves. Such a group is shown and goes on; an apply
that has it takes it over, `stop` and `shutdown` end it. Decides nothing; called once, at a manager's start.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from wsgigroups.manager.core.model import GroupState
from wsgigroups.plan.desired import GroupTarget, ListenerTarget, SpawnerTarget
from wsgigroups.runtime.wire.spec import Identity, Serving, Spec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from wsgigroups.manager.supervision.connected_spawners import Inventory

DESCRIBED = ("shutdown_timeout_s", "eviction_timeout_s")  # of a spec, and kept with each process


class ForkedBy(Protocol):
    """A spawner, as far as it tells of the processes that it forked."""

    @property
    def key(self) -> str: ...
    @property
    def executable(self) -> str: ...
    @property
    def python(self) -> str: ...


def described_by(target: GroupTarget) -> dict[str, Any]:
    """What is kept with a process besides its place, for a manager that knows nothing of its group. No secrets."""
    identity = target.spec.identity
    return {
        "uid": identity.uid if identity else None,
        "gid": identity.gid if identity else None,
        "user": target.user,
        "user_group": target.group,
        "log": target.log_path,
        **{name: getattr(target.spec, name) for name in DESCRIBED},
    }


def unknown_groups(found: Iterable[tuple[ForkedBy, Inventory]], known: Collection[str]) -> dict[str, GroupState]:
    """Describe the groups of which spawners keep processes or listeners and that are not among those that are known."""
    processes: dict[str, list[dict[str, Any]]] = {}
    listeners: dict[str, dict[str, ListenerTarget]] = {}
    versions: dict[str, tuple[str, str]] = {}  # of an interpreter, and its path, by spawner
    for spawner, inventory in found:
        versions[getattr(spawner, "former_of", "") or spawner.key] = (spawner.executable, spawner.python)
        for kept, _fds in inventory.kept:
            name = str(kept.info.get("group", ""))
            if not name or name in known:
                continue
            if kept.kind == "process":
                processes.setdefault(name, []).append(kept.info)
            elif kept.kind == "listener":
                listeners.setdefault(name, {})[kept.info["target"]["address"]] = ListenerTarget(**kept.info["target"])
    return {
        name: GroupState(
            _described(name, processes.get(name, []), list(listeners.get(name, {}).values()), versions), unknown=True
        )
        for name in sorted({*processes, *listeners})
    }


def _described(
    name: str, infos: list[dict[str, Any]], listeners: list[ListenerTarget], versions: dict[str, tuple[str, str]]
) -> GroupTarget:
    """A target that tells what runs, and that nothing can be started with."""
    info = infos[0] if infos else {}
    fingerprints = Counter(str(item.get("fingerprint", "")) for item in infos)
    key = str(info.get("spawner", ""))
    executable, version = versions.get(key, ("", ""))
    uid = info.get("uid", _uid_of(info.get("pid")))
    spec = Spec(
        group=name,
        slot=0,
        life=0,
        fingerprint="",
        title="",
        applications=(),
        serving=Serving(threads=int(info.get("threads", 0))),
        environment={},
        listen=tuple(listener.address for listener in listeners),
        identity=None if uid is None else Identity(uid, int(info.get("gid") or 0), ()),
    )
    leaving: dict[str, Any] = {option: float(info[option]) for option in DESCRIBED if option in info}
    return GroupTarget(
        name=name,
        processes=max(1, len({item.get("slot") for item in infos})),
        fingerprint=fingerprints.most_common(1)[0][0] if fingerprints else "",
        options={},
        spec=replace(spec, **leaving),
        listeners=tuple(listeners),
        spawner=SpawnerTarget(key, executable, version=version),
        log_path=str(info.get("log", "")),
        user=info.get("user"),
        group=info.get("user_group"),
    )


def _uid_of(pid: Any) -> int | None:
    """Whose process it is, of one that an earlier version has started; None: the manager's own user's."""
    try:
        with open(f"/proc/{int(pid)}/status", encoding="ascii", errors="replace") as file:
            uid = next(int(line.split()[1]) for line in file if line.startswith("Uid:"))
    except (OSError, ValueError, TypeError, StopIteration):
        return None
    return None if uid == os.geteuid() else uid
