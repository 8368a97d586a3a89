"""What probes are answered in each state of the manager and of its groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.observed import group_of
from support.targets import small_target

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core.model import State
from wsgigroups.manager.observing import probes

BLOG = small_target(name="blog")
READY, STARTING, COOLING, DRAINING = Tenancy.READY, Tenancy.STARTING, Tenancy.COOLING, Tenancy.DRAINING


def state(*states: Tenancy, stopping: bool = False, **more: bool) -> State:
    return State({"blog": group_of(BLOG, *states, **more)}, stopping=stopping)


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (state(READY), True),
        (state(READY, STARTING), True),  # some serve
        (state(STARTING), False),
        (state(COOLING), False),
        (state(), False),
        (state(stopped=True), True),  # nobody wants it to serve
        (state(READY, stopping=True), False),
        (State({}), True),
    ],
)
def test_the_manager_is_ready_when_each_group_that_should_serve_does(found: State, ready: bool) -> None:
    assert (not probes.not_ready(found, begun=True)) == ready
    assert probes.not_ready(found, begun=False)


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (state(READY), True),
        (state(STARTING), False),
        (state(READY, stopped=True), False),
        (state(READY, removing=True), False),
        (state(READY, stopping=True), False),
    ],
)
def test_a_group_is_ready_when_one_of_its_processes_is(found: State, ready: bool) -> None:
    assert (not probes.group_not_ready(found, "blog")) == ready
    assert probes.group_not_ready(found, "shop") == [probes.NO_GROUP]


@pytest.mark.parametrize(
    ("found", "accepts", "serving"),
    [
        (state(READY), True, True),
        (state(READY, stopping=True), True, True),
        (state(DRAINING, stopping=True), True, True),
        (state(DRAINING, stopping=True), False, False),
        (state(STARTING), True, False),
        (State({}), True, False),
    ],
)
def test_it_serves_as_long_as_somebody_takes_connections(found: State, accepts: bool, serving: bool) -> None:
    assert (not probes.not_serving(found, lambda _life: accepts)) == serving


def test_of_many_groups_some_are_named() -> None:
    names = [f"g{number:02}" for number in range(probes.SHOWN + 5)]
    found = State({name: replace(group_of(BLOG), target=small_target(name=name)) for name in names})
    said = probes.not_ready(found, begun=True)
    assert len(said) == probes.SHOWN + 1
    assert said[0] == "g00 has none of 1 processes ready"
    assert said[-1] == "and 5 more groups"
