"""What is told, and in which order, by the states that a manager goes through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.service_manager import ServiceManager, service_manager
from support.targets import small_target

from wsgigroups.manager.core import model
from wsgigroups.manager.core.changes import Change, Progress
from wsgigroups.manager.supervision.listeners import Listeners
from wsgigroups.manager.systemd import telling
from wsgigroups.manager.systemd.fdstore import FdStore
from wsgigroups.manager.systemd.notifying import Notifier

NOTHING = model.State()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceManager]:
    with service_manager(tmp_path) as listening:
        yield listening


def under_way(kind: str = "apply") -> model.State:
    return replace(NOTHING, changes={1: Change(1, kind, {"a": Progress()})})


class Told:
    """Tells of states that the test sets, without a loop."""

    def __init__(self, service: ServiceManager) -> None:
        self.service = service
        self.shell: Any = SimpleNamespace(state=NOTHING, listeners=Listeners())
        notifier = Notifier(service.address)
        self.telling = telling.Telling(notifier, FdStore(notifier, 0, print))
        self.telling.follow(cast("Any", self.shell))

    def at(self, state: model.State) -> list[str]:
        """What a look at this state says, without the status."""
        self.shell.state = state
        self.telling.look()
        return self.new()

    def new(self) -> list[str]:
        self.service.messages.clear()
        self.service.read()
        return [line.partition("_USEC=")[0] for line in self.service.lines if not line.startswith("STATUS=")]


def test_ready_when_the_first_apply_has_settled(service: ServiceManager) -> None:
    told = Told(service)
    assert told.at(NOTHING) == ["EXTEND_TIMEOUT"]  # nothing was begun
    told.shell.state = under_way(model.START_UP)
    told.telling.started()
    assert told.new() == ["EXTEND_TIMEOUT"]
    assert told.at(NOTHING) == ["READY=1"]
    assert told.at(NOTHING) == []


def test_each_change_is_a_reload_and_a_restart_of_a_group_is_none(service: ServiceManager) -> None:
    told = Told(service)
    told.telling.started()
    assert told.new() == ["READY=1"]
    assert told.at(under_way("restart")) == []
    assert told.at(under_way()) == ["RELOADING=1", "MONOTONIC", "EXTEND_TIMEOUT"]
    assert told.at(under_way()) == ["EXTEND_TIMEOUT"]
    assert told.at(NOTHING) == ["READY=1"]


def test_a_signal_during_a_reload_is_told_of_again(service: ServiceManager) -> None:
    told = Told(service)
    told.telling.started()
    told.at(under_way())
    told.telling.reading()
    assert told.new() == ["RELOADING=1", "MONOTONIC"]
    assert told.at(NOTHING) == ["EXTEND_TIMEOUT"]  # it is still read
    told.telling.read()
    assert told.new() == ["READY=1"]


def test_an_end_is_told_once_and_has_the_time_it_needs(service: ServiceManager) -> None:
    told = Told(service)
    stopping = replace(NOTHING, stopping=True)
    assert told.at(stopping) == ["STOPPING=1", "EXTEND_TIMEOUT"]  # while it starts, too
    assert told.at(stopping) == ["EXTEND_TIMEOUT"]
    told.telling.end()
    assert told.new() == []


def test_what_was_not_taken_comes_later_in_order(service: ServiceManager) -> None:
    told = Told(service)
    flood = Notifier(service.address)
    while flood.send(["X=1"]):
        pass
    told.telling.started()
    told.shell.state = under_way()
    told.telling.look()
    service.read()
    assert [line for line in told.at(NOTHING) if line[0] == "R"] == ["READY=1", "RELOADING=1", "READY=1"]


def test_the_summary_names_some_groups_that_are_not_ready() -> None:
    groups = {f"g{number}": model.GroupState(small_target(f"g{number}")) for number in range(7)}
    text = telling.summary(replace(NOTHING, groups=groups))
    assert text.startswith("0 of 7 groups ready: g0 is starting, ")
    assert text.endswith("g4 is starting, 2 more")
    assert telling.summary(replace(NOTHING, groups=groups, stopping=True)) == "draining 7 groups"
    assert telling.summary(NOTHING) == "no groups"
