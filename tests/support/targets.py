"""Targets of groups and specs of processes, as small as they can be. Data only."""

from __future__ import annotations

from typing import Any

from wsgigroups.plan.desired import GroupTarget, SpawnerTarget
from wsgigroups.runtime.wire.spec import Application, Serving, Spec


def small_spec(name: str = "blog", **changes: Any) -> Spec:
    """What every process of a group should be; slot and life still 0."""
    values: dict[str, Any] = {
        "group": name,
        "slot": 0,
        "life": 0,
        "fingerprint": "",
        "title": "",
        "applications": (Application("callable", "hello:application"),),
        "serving": Serving(),
        "environment": {},
        "listen": (),
    }
    return Spec(**{**values, **changes})


def small_target(name: str = "blog", **changes: Any) -> GroupTarget:
    """A group of one process; a changed `spec` is given whole."""
    values: dict[str, Any] = {
        "name": name,
        "processes": 1,
        "fingerprint": "f",
        "options": {},
        "spec": small_spec(name),
        "listeners": (),
        "spawner": SpawnerTarget("k", "/usr/bin/python3"),
    }
    return GroupTarget(**{**values, **changes})
