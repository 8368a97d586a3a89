"""Properties of the planner and the rollout over arbitrary desired and observed states.

The last test breaks the rollout on purpose in five ways: each must be caught by the world of the first properties.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.world import target
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.plan.desired import GroupTarget, target_from_json
from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import StepKind, plan
from wsgigroups.plan.rollout import LEAVING, LIVE, Begin, Budget, End, Member, reconcile, settled

NAMES = st.sampled_from(["a", "b", "c", "d"])
targets = st.dictionaries(
    NAMES, st.tuples(st.integers(1, 6), st.integers(1, 4), st.sampled_from([5.0, 9.0])), max_size=4
)


def desired(drawn: dict[str, tuple[int, int, float]]) -> dict[str, GroupTarget]:
    return {name: target(name, n, version, shutdown_s=s) for name, (n, version, s) in drawn.items()}


def running(wanted: dict[str, GroupTarget]) -> dict[str, ObservedGroup]:
    return {
        name: ObservedGroup(
            options=t.options,
            fingerprint=t.fingerprint,
            processes=t.processes,
            scaled=False,
            stopped=False,
            members=tuple(ObservedProcess(n, n, t.fingerprint, True, 0.1, 1000) for n in range(1, t.processes + 1)),
        )
        for name, t in wanted.items()
    }


@given(targets)
def test_what_runs_as_asked_needs_no_step(drawn: dict[str, tuple[int, int, float]]) -> None:
    assert plan(desired(drawn), running(desired(drawn))).empty


@given(targets, targets)
def test_the_order_of_the_inputs_does_not_matter(
    new: dict[str, tuple[int, int, float]], old: dict[str, tuple[int, int, float]]
) -> None:
    first = plan(desired(new), running(desired(old)))
    turned = plan(dict(reversed(desired(new).items())), dict(reversed(running(desired(old)).items())))
    assert first == turned
    assert first == plan(desired(new), running(desired(old)))


@given(targets, targets)
def test_every_difference_has_exactly_one_step_with_reasons(
    new: dict[str, tuple[int, int, float]], old: dict[str, tuple[int, int, float]]
) -> None:
    steps = {step.group: step for step in plan(desired(new), running(desired(old))).steps}
    for name in {*new, *old}:
        if name not in new:
            assert steps[name].kind is StepKind.REMOVE
        elif name not in old:
            assert steps[name].kind is StepKind.ADD
        elif new[name] == old[name]:
            assert name not in steps
        else:
            (new_n, new_version, new_s), (old_n, old_version, old_s) = new[name], old[name]
            step = steps[name]
            assert (step.kind is StepKind.REPLACE) == (new_version != old_version)
            named = {reason.option for reason in step.reasons}
            assert ("threads" in named) == (new_version != old_version)
            assert ("processes" in named) == (new_n != old_n)
            assert ("shutdown-timeout" in named) == (new_s != old_s)
            assert step.cost.processes_replaced == (min(new_n, old_n) if new_version != old_version else 0)


@given(targets)
def test_targets_survive_their_json(drawn: dict[str, tuple[int, int, float]]) -> None:
    for item in desired(drawn).values():
        assert target_from_json(json.loads(json.dumps(item.to_json()))) == item


# The rollout in an obedient world: what is asked for begins and ends one step later.

Reconcile = Callable[[int, Sequence[Member], Budget], tuple[object, ...]]
states = st.sampled_from(
    [Tenancy.READY, Tenancy.STARTING, Tenancy.COOLING, Tenancy.DRAINING, Tenancy.KILLING, Tenancy.FAILED]
)
member_lists = st.lists(st.tuples(st.integers(1, 6), states, st.booleans()), max_size=10)


def members_of(drawn: list[tuple[int, Tenancy, bool]]) -> list[Member]:
    seen: set[tuple[int, bool]] = set()
    found = []
    for life, (slot, state, outdated) in enumerate(drawn, start=1):
        if state in LEAVING or (slot, outdated) not in seen:
            found.append(Member(slot, life, state, outdated))
            seen.add((slot, outdated))
    return found


def obedient(wanted: int, members: list[Member], decide: Reconcile, budget: Budget | None = None) -> None:
    """Follow the intents until there are none, checking every step; then all must be as asked."""
    next_life = 1000
    budget = budget or Budget(-(-wanted // 4))
    held_at_first = {m.slot for m in members if m.state is Tenancy.READY and m.slot <= wanted}
    for _round in range(100):
        intents = decide(wanted, members, budget)
        if not intents and not any(m.state is not Tenancy.READY for m in members):
            break
        ended = {intent.life for intent in intents if isinstance(intent, End)}
        following = []
        for member in members:
            if member.state in LEAVING:
                continue
            if member.life in ended:
                if member.state in LIVE:
                    following.append(replace(member, state=Tenancy.DRAINING))
            elif member.state in (Tenancy.STARTING, Tenancy.SPAWNING):
                following.append(replace(member, state=Tenancy.READY))
            elif member.state in (Tenancy.COOLING, Tenancy.FAILED):
                following.append(replace(member, state=Tenancy.STARTING))
            else:
                following.append(member)
        for intent in intents:
            if isinstance(intent, Begin):
                following.append(Member(intent.slot, next_life, Tenancy.STARTING))
                next_life += 1
        live_before = sum(m.state in LIVE for m in members)
        live = sum(m.state in LIVE for m in following)
        begun = sum(isinstance(intent, Begin) for intent in intents)
        assert not begun or live_before + begun <= wanted + budget.surge, "more than the surge"
        held = {m.slot for m in following if m.state is Tenancy.READY}
        assert len(held_at_first - held) <= budget.unavailable, "a slot lost its ready process"
        assert live <= max(live_before + begun, wanted + budget.surge)
        members = following
    assert settled(wanted, members), members
    assert len(members) == wanted, "something else is left running"


@given(st.integers(1, 6), member_lists)
def test_following_the_rollout_ends_where_it_should(wanted: int, drawn: list[tuple[int, Tenancy, bool]]) -> None:
    obedient(wanted, members_of(drawn), reconcile)


@given(st.integers(1, 6), member_lists, st.integers(0, 3), st.integers(0, 3))
def test_no_limit_keeps_the_rollout_from_its_end(
    wanted: int, drawn: list[tuple[int, Tenancy, bool]], surge: int, unavailable: int
) -> None:
    obedient(wanted, members_of(drawn), reconcile, Budget(surge, unavailable if surge else max(1, unavailable)))


@given(st.integers(1, 6), member_lists)
def test_the_order_of_the_members_does_not_matter(wanted: int, drawn: list[tuple[int, Tenancy, bool]]) -> None:
    members = members_of(drawn)
    assert reconcile(wanted, members, Budget()) == reconcile(wanted, members[::-1], Budget())


def _no_removal(wanted: int, members: Sequence[Member], budget: Budget) -> tuple[object, ...]:
    return reconcile(wanted, [m for m in members if m.slot <= wanted], budget)


def _end_first(wanted: int, members: Sequence[Member], budget: Budget) -> tuple[object, ...]:
    old = [End(m.life, followed=False) for m in members if m.outdated and m.state is Tenancy.READY]
    return (*old, *reconcile(wanted, [m for m in members if not m.outdated], budget))


def _no_surge_limit(wanted: int, members: Sequence[Member], budget: Budget) -> tuple[object, ...]:
    return reconcile(wanted, members, replace(budget, surge=100))


def _forgets_outdated(wanted: int, members: Sequence[Member], budget: Budget) -> tuple[object, ...]:
    return reconcile(wanted, [replace(m, outdated=False) for m in members], budget)


def _ignores_leaving(wanted: int, members: Sequence[Member], budget: Budget) -> tuple[object, ...]:
    return reconcile(wanted, [m for m in members if m.state not in LEAVING], budget)


@pytest.mark.parametrize(
    "mutant", [_no_removal, _end_first, _no_surge_limit, _forgets_outdated, _ignores_leaving], ids=lambda m: m.__name__
)
def test_every_mutant_is_caught(mutant: Reconcile) -> None:
    history = [
        Member(1, 1, Tenancy.READY, outdated=True),
        Member(2, 2, Tenancy.READY, outdated=True),
        Member(3, 3, Tenancy.READY),
        Member(1, 4, Tenancy.DRAINING),
        Member(2, 5, Tenancy.DRAINING),
    ]
    with pytest.raises(AssertionError):
        obedient(2, history, mutant)
