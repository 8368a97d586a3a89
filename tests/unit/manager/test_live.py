"""Live options on a process that is not asked: what is refused keeps nothing else back."""

from __future__ import annotations

import resource
from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.manager import live


def test_a_refused_priority_keeps_no_limit_back(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []

    def refuse(_pid: int, _priority: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(live, "_set_priority", refuse)
    monkeypatch.setattr(live, "_set_limit", lambda _pid, number, pair: limits.append((number, pair)))
    process: Any = SimpleNamespace(life=7, pid=1, info={"slot": 1}, send=lambda _message: None)
    spec = {"serving": {}, "title": "", "cpu_priority": -5, "rlimits": {"DATA": (1 << 28, 1 << 28)}}
    spec.update(dict.fromkeys(live._LEAVING))
    target: Any = SimpleNamespace(name="blog", spec=spec)
    refused = live.tune(process, target)
    assert limits == [
        (resource.RLIMIT_DATA, (1 << 28, 1 << 28)),
        (resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)),  # nobody asks for one: it stays the manager's
    ]
    assert refused.startswith("cannot change a running process: cpu-priority: ")
    assert "RLIMIT" not in refused


def test_the_default_priority_under_a_nice_manager_is_the_managers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(live.os, "getpriority", lambda _which, _pid: 10)
    monkeypatch.setattr(live.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(live.os, "listdir", lambda _path: ["4711"])
    monkeypatch.setattr(live.os, "setpriority", lambda _which, _pid, priority: asked.append(priority))
    for priority in (0, 10, 15):
        live._set_priority(4711, priority)
    assert asked == [15]
    monkeypatch.setattr(live.os, "geteuid", lambda: 0)
    live._set_priority(4711, 0)
    assert asked == [15, 0]
