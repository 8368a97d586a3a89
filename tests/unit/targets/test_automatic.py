"""`processes = "auto"`: how many it comes to, that plan says how."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from wsgigroups.host.budget import Capacity
from wsgigroups.targets import automatic
from wsgigroups.targets.automatic import processes_of
from wsgigroups.targets.once import Once

GIB = 1024**3


def reckoned(monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[int, list[str]]:
    monkeypatch.setattr(automatic, "budget", lambda: Capacity(4, 2 * GIB))
    limits = {"memory_max": 0, "memory_limit": 0, "memory_soft_limit": 0}
    return processes_of(cast("Any", SimpleNamespace(**{**limits, **options})), Once())


def test_a_number_is_that_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reckoned(monkeypatch, processes=3) == (3, [])


def test_auto_is_reckoned_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    number, (notice,) = reckoned(monkeypatch, processes=0)
    assert number == 4
    assert notice.startswith("processes = 4: 4 processors (the machine), one process for each: 4; ")
    number, (notice,) = reckoned(monkeypatch, processes=0, memory_limit=GIB, memory_soft_limit=GIB // 2)
    assert number == 3
    assert "÷ 512 MiB a process (its limit): 3" in notice
