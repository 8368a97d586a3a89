"""What the status says of a process, from facts that do not move."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control import views
from wsgigroups.manager.supervision import processes


def test_the_start_is_noted_once_and_stays_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record("blog", 1, 7, "f", state=Tenancy.READY, pid=4711, spawned_at=100.0, ready_at=100.1)
    info = {"started_at": processes.moment()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", info["started_at"])
    process = SimpleNamespace(info=info, pid=0, exited=False, confined=None, snapshot=lambda: None)
    shell = cast("Any", SimpleNamespace(processes={7: process}))
    seen = []
    for monotonic_s in (100.0, 100.4, 101.3, 4000.9):  # uptime and the time of day need not agree
        monkeypatch.setattr(views.time, "monotonic", lambda monotonic_s=monotonic_s: monotonic_s)
        view = views.process_view(shell, record)
        assert view is not None
        seen.append((view.started_at, view.uptime_s))
    assert seen == [(info["started_at"], uptime_s) for uptime_s in (0.0, 0.4, 1.3, 3900.9)]
