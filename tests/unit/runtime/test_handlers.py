"""What signal.signal does in an application, by the option `signals`."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from wsgigroups.runtime.daemon import handlers


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str]] = []

    def __call__(self, level: str, text: str) -> None:
        self.records.append((level, text))


def handle(_number: int, _frame: Any) -> None:
    raise AssertionError


def test_ignored_with_a_line_for_each_place() -> None:
    log = Log()
    register = handlers.replacement("ignore", log)
    before = signal.getsignal(signal.SIGUSR2)
    for _ in range(3):
        assert register(signal.SIGUSR2, handle) is handle  # as mod_wsgi
    register(64, handle)
    assert signal.getsignal(signal.SIGUSR2) is before
    (level, first), (_level, second) = log.records
    assert level == "notice"
    assert f"signal.signal(SIGUSR2) at {__file__}, line " in first
    assert "in test_ignored_with_a_line_for_each_place is ignored" in first
    assert "signal.signal(SIGRTMAX)" in second


def test_raised_as_outside_of_the_main_thread() -> None:
    log = Log()
    with pytest.raises(ValueError, match=r"signal.signal\(SIGUSR2\) at .* signals belong to the server"):
        handlers.replacement("raise", log)(signal.SIGUSR2, handle)
    assert log.records == []


@pytest.mark.parametrize("mode", ["ignore", "raise"])
def test_a_process_that_is_forked_has_its_own(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register = handlers.replacement(mode, Log())
    own = os.getpid()
    monkeypatch.setattr(handlers.os, "getpid", lambda: own + 1)
    before = signal.getsignal(signal.SIGUSR2)
    try:
        assert register(signal.SIGUSR2, handle) is before
        assert signal.getsignal(signal.SIGUSR2) is handle
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_allowed_is_left_alone() -> None:
    before = signal.signal
    handlers.restrict("allow", Log())
    assert signal.signal is before
    try:
        handlers.restrict("ignore", Log())
        assert signal.signal is not before
    finally:
        signal.signal = before
