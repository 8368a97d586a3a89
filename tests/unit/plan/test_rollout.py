"""Which lives begin and end: vacancies first, successor first, never more than the surge."""

from __future__ import annotations

import pytest

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.plan.desired import RolloutTarget, Share
from wsgigroups.plan.rollout import Begin, Budget, End, Member, reconcile, settled

READY, STARTING, COOLING, DRAINING = Tenancy.READY, Tenancy.STARTING, Tenancy.COOLING, Tenancy.DRAINING


def old(slot: int, life: int, state: Tenancy = READY) -> Member:
    return Member(slot, life, state, outdated=True)


def test_an_empty_group_starts_all_its_slots() -> None:
    assert reconcile(3, [], Budget()) == (Begin(1), Begin(2), Begin(3))


def test_nothing_to_do_when_settled() -> None:
    members = [Member(1, 1, READY), Member(2, 2, READY)]
    assert reconcile(2, members, Budget()) == ()
    assert settled(2, members)


def test_scaling_down_ends_the_highest_slots_only() -> None:
    members = [Member(1, 1, READY), Member(2, 2, READY), Member(3, 3, COOLING)]
    assert reconcile(1, members, Budget()) == (End(2, followed=False), End(3, followed=False))


def test_a_successor_starts_before_the_old_one_ends() -> None:
    assert reconcile(2, [old(1, 1), old(2, 2)], Budget()) == (Begin(1),)
    assert reconcile(2, [old(1, 1), old(2, 2), Member(1, 3, STARTING)], Budget()) == ()
    assert reconcile(2, [old(1, 1), old(2, 2), Member(1, 3, READY)], Budget()) == (End(1, followed=True),)


def test_the_next_successor_waits_until_the_old_process_has_gone() -> None:
    members = [Member(1, 1, DRAINING, outdated=True), Member(1, 3, READY), old(2, 2)]
    assert reconcile(2, members, Budget()) == ()
    assert reconcile(2, members[1:], Budget()) == (Begin(2),)


def test_a_successor_that_cools_keeps_the_old_process() -> None:
    assert reconcile(1, [old(1, 1), Member(1, 2, COOLING)], Budget()) == ()


def test_an_outdated_process_that_never_served_is_not_waited_for() -> None:
    assert reconcile(1, [old(1, 1, COOLING)], Budget()) == (End(1, followed=False), Begin(1))
    assert reconcile(1, [old(1, 1, STARTING)], Budget()) == (End(1, followed=False), Begin(1))


def test_a_vacant_slot_comes_before_a_successor() -> None:
    assert reconcile(2, [old(1, 1)], Budget()) == (Begin(2), Begin(1))
    assert reconcile(2, [old(1, 1), Member(2, 5, DRAINING)], Budget()) == (Begin(2),)


def test_two_current_holders_of_a_slot_become_one() -> None:
    assert reconcile(1, [Member(1, 1, READY), Member(1, 2, READY)], Budget()) == (End(2, followed=True),)


def test_without_room_for_a_successor_a_process_leaves_first() -> None:
    two = [old(1, 1), old(2, 2)]
    budget = Budget(surge=0, unavailable=1)
    assert reconcile(2, two, budget) == (End(1, followed=False, first=True),)
    assert reconcile(2, [old(1, 1, DRAINING), old(2, 2)], budget) == ()
    assert reconcile(2, [old(2, 2)], budget) == (Begin(1),)
    assert reconcile(2, [Member(1, 3, STARTING), old(2, 2)], budget) == ()
    assert reconcile(2, [Member(1, 3, READY), old(2, 2)], budget) == (End(2, followed=False, first=True),)


def test_what_has_not_been_ready_for_long_enough_replaces_nothing() -> None:
    fresh = Member(1, 3, READY, seasoned=False)
    assert reconcile(2, [old(1, 1), fresh, old(2, 2)], Budget(surge=2, slots=1)) == ()
    assert reconcile(2, [old(1, 1), Member(1, 3, READY), old(2, 2)], Budget(surge=2, slots=1)) == (
        End(1, followed=True),
    )


def test_no_more_slots_are_replaced_than_are_watched() -> None:
    four = [old(slot, slot) for slot in range(1, 5)]
    assert reconcile(4, four, Budget(surge=4, slots=2)) == (Begin(1), Begin(2))
    assert reconcile(4, [*four[1:], Member(1, 9, READY)], Budget(surge=4, slots=1)) == ()
    assert reconcile(4, [*four[1:], Member(1, 9, READY)], Budget(surge=4)) == (Begin(2), Begin(3), Begin(4))


@pytest.mark.parametrize(("wanted", "extra"), [(1, 1), (4, 1), (5, 2), (16, 4)])
def test_surge_is_a_quarter_and_at_least_one(wanted: int, extra: int) -> None:
    assert RolloutTarget().max_surge.up(wanted) == extra


def test_a_part_of_a_process_is_none_that_may_be_missing() -> None:
    assert [Share(25, percent=True).down(wanted) for wanted in (1, 4, 7, 8)] == [0, 1, 1, 2]
    assert (Share(3).up(1), Share(3).down(1), str(Share(3)), str(Share(25, percent=True))) == (3, 3, "3", "25%")


@pytest.mark.parametrize(
    "members",
    [
        [],
        [Member(1, 1, STARTING)],
        [old(1, 1)],
        [Member(2, 1, READY)],
        [Member(1, 1, READY), old(1, 2)],
        [Member(1, 1, READY), Member(1, 2, READY)],
    ],
)
def test_not_settled(members: list[Member]) -> None:
    assert not settled(1, members)
