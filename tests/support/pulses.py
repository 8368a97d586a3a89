"""What processes hear from each other on the page of a listener."""

from __future__ import annotations

import pytest
from support.serving import new_pulse

from wsgigroups.runtime.calls import monitor
from wsgigroups.runtime.wire.pulse import GONE, Pulse


def pulse_page(monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """Return the page of a listener on which no process says anything but what has changed."""
    monkeypatch.setattr(monitor, "HEARTBEAT_S", 3600.0)
    return new_pulse()


def heard_on(page: Pulse) -> int:
    """Return what the process of slot 1 has said last."""
    return int(page.word[1 + 1]) & GONE
