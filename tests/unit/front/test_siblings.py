"""What a process tells its siblings, and whom it leaves or sends connections by what they tell."""

from __future__ import annotations

import pytest
from support.serving import Clock, new_pulse

from wsgigroups.runtime.front.siblings import AHEAD, Siblings
from wsgigroups.runtime.wire.pulse import FULL, GONE, NO_LANE


class Two:
    """Two processes and the pulse that they share."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.page = new_pulse()
        self.one, self.other = (Siblings([self.page], slot, self.clock, True) for slot in (1, 2))

    def heard(self) -> int:
        """Return what the other one has said last."""
        return self.page.fewest(1, self.clock())

    def say_full(self, queued: int) -> None:
        """Have the other one say that no thread is free, and that so many requests wait."""
        self.other.moved()
        self.other.count(queued)
        self.other.tell(0, full=True, no_lane=False, leaving=False)


@pytest.fixture
def two() -> Two:
    return Two()


@pytest.mark.parametrize(
    ("full", "no_lane", "leaving", "moved", "said"),
    [
        (False, False, False, False, 7),
        (False, True, False, False, NO_LANE),
        (True, False, False, True, FULL + 5),
        (True, True, False, True, FULL + 5),
        (True, False, False, False, GONE),  # its calls do not end
        (False, False, True, False, GONE),
        (True, False, True, True, GONE),
    ],
)
def test_what_is_said(two: Two, full: bool, no_lane: bool, leaving: bool, moved: bool, said: int) -> None:
    two.other.count(5)
    if moved:
        two.other.moved()
    two.other.tell(7, full, no_lane, leaving)
    assert two.heard() == said


def test_numbers_beyond_what_a_line_holds_stay_what_they_are(two: Two) -> None:
    two.other.tell(1 << 30, full=False, no_lane=False, leaving=False)
    assert two.heard() == NO_LANE - 1
    two.say_full(1 << 30)
    assert two.heard() == GONE - 1


def test_calls_that_ended_a_while_ago_do_not_count_as_getting_on(two: Two) -> None:
    two.say_full(1)
    two.clock.advance(0.2)
    two.other.tell(0, full=True, no_lane=False, leaving=False)
    assert two.heard() == FULL + 1
    two.clock.advance(0.001)
    two.other.tell(0, full=True, no_lane=False, leaving=False)
    assert two.heard() == GONE


def test_a_queue_is_as_long_as_it_has_been_of_late(two: Two) -> None:
    assert two.one.count(9) == 9
    two.clock.advance(0.001)
    assert two.one.count(1) == 9
    two.clock.advance(0.019)
    assert two.one.count(2) == 9  # the last while
    two.clock.advance(0.019)
    assert two.one.count(1) == 9
    two.clock.advance(0.001)
    assert two.one.count(0) == 2
    two.clock.advance(0.045)
    assert two.one.count(1) == 1  # nothing was counted for longer than that
    two.clock.advance(0.001)
    assert two.one.count(4) == 4
    assert two.one.queued == 4


@pytest.mark.parametrize(
    ("mine", "others", "surplus"),
    [(16, 16, 0), (19, 12, 0), (20, 12, 4), (32, 0, 16), (0, 32, 0), (99, 80, 0), (100, 80, 10)],
)
def test_who_has_more_connections_than_one_with_a_free_thread(two: Two, mine: int, others: int, surplus: int) -> None:
    two.other.tell(others, full=False, no_lane=False, leaving=False)
    assert two.one.surplus(mine, 99, full=False) == surplus
    assert two.one.surplus(mine, 99, full=True) == surplus
    two.clock.advance(3.1)
    assert two.one.surplus(mine, 99, full=True) == 0  # nobody is there any more


@pytest.mark.parametrize(
    ("mine", "others", "surplus"),
    [(8, 8, 0), (9, 8, 0), (9, 7, 1), (10, 6, 2), (2, 0, 1), (1, 0, 0), (6, 10, 0), (80, 71, 0), (80, 70, 5)],
)
def test_who_has_more_requests_that_wait_than_one_that_is_full_too(
    two: Two, mine: int, others: int, surplus: int
) -> None:
    two.say_full(others)
    two.one.count(mine)
    assert two.one.surplus(1000, 99, full=True) == surplus
    assert two.one.surplus(1000, 99, full=False) == 0  # a thread is free here


@pytest.mark.parametrize(
    ("full", "no_lane", "leaving"), [(True, False, False), (False, True, False), (True, True, True)]
)
def test_nobody_is_sent_to_who_is_stuck_has_no_lane_or_leaves(
    two: Two, full: bool, no_lane: bool, leaving: bool
) -> None:
    two.one.count(50)
    two.other.tell(0, full, no_lane, leaving)
    assert two.one.surplus(1000, 99, full=True) == 0
    assert not two.one.want(two.page, 1000, 0, no_lane=True)
    assert not two.one.have_lane()


def test_who_has_the_shortest_queue(two: Two) -> None:
    two.one.count(3)
    for others, longer in ((2, False), (3, True), (4, True)):
        two.clock.advance(0.1)
        two.say_full(others)
        two.one.count(3)
        assert two.one.all_longer(two.page) is longer
    two.other.tell(1000, full=False, no_lane=False, leaving=False)
    assert not two.one.all_longer(two.page)
    two.other.tell(0, full=False, no_lane=True, leaving=False)
    assert not two.one.all_longer(two.page)
    two.other.tell(0, full=False, no_lane=False, leaving=True)
    assert two.one.all_longer(two.page)


def test_clients_that_connect_for_each_request_are_left_to_nobody(two: Two) -> None:
    def wanted(connections: int, taken: int, *, no_lane: bool = False, after_s: float = 0.05) -> bool:
        two.clock.advance(after_s)
        two.other.tell(0, full=False, no_lane=False, leaving=False)
        return two.one.want(two.page, connections, taken, no_lane)

    assert wanted(AHEAD, 15)  # too few to tell
    assert wanted(AHEAD + 16, 31)  # they stay
    assert not wanted(AHEAD + 16, 47)  # sixteen more were taken, and as many have gone
    assert wanted(AHEAD + 16, 47, no_lane=True, after_s=0)
    assert not wanted(AHEAD + 16, 47, after_s=0.049)  # for a while that is known
    assert wanted(AHEAD + 16, 47, after_s=0.001)
    assert wanted(AHEAD + 25, 63)  # 16 more, of which 7 have gone
    assert not wanted(AHEAD + 33, 79)  # … 8 have gone


@pytest.mark.parametrize(("after_s", "left"), [(0.05, True), (0.1, True), (0.101, False), (30.0, False)])
def test_clients_that_have_left_a_while_ago_say_nothing_of_those_that_come(
    two: Two, after_s: float, left: bool
) -> None:
    """A load ends and another one begins: its connections are shared out by how many there are."""
    two.other.tell(0, full=False, no_lane=False, leaving=False)
    two.one.want(two.page, 0, 1, False)
    two.clock.advance(after_s)
    two.other.tell(0, full=False, no_lane=False, leaving=False)
    assert two.one.want(two.page, AHEAD, AHEAD + 17, False) is not left


def test_one_that_uses_a_whole_core_shares_with_one_that_has_time() -> None:
    clock, page, used_ns = Clock(), new_pulse(), [0]
    busy = Siblings([page], 1, clock, True, cpu=lambda: used_ns[0])
    for share, surplus in ((0.0, 0), (0.85, 0), (0.95, 15)):
        page.tell(2, 10, clock())
        busy.surplus(40, 0, full=False)  # since then
        clock.advance(0.4)
        used_ns[0] += int(share * 400_000_000)
        assert busy.surplus(40, 0, full=False) == surplus


@pytest.mark.parametrize(("mine", "pause_s"), [(19, 0.05), (20, 0.4)], ids=["nobody", "some"])
def test_clients_that_are_sent_away_have_time_to_come_up_elsewhere(two: Two, mine: int, pause_s: float) -> None:
    two.other.tell(12, full=False, no_lane=False, leaving=False)
    assert two.one.may_send(two.clock())
    assert bool(two.one.surplus(mine, 99, full=False)) is (pause_s > 0.1)
    two.clock.advance(pause_s - 0.001)
    assert not two.one.may_send(two.clock())
    two.clock.advance(0.001)
    assert two.one.may_send(two.clock())
    assert not Siblings([], 0, two.clock, present=False).may_send(two.clock())


def test_alone_and_without_pulses() -> None:
    clock = Clock()
    nobody = Siblings([], 0, clock, present=False)
    assert nobody.alone()
    assert not nobody.have_lane()
    assert nobody.surplus(1000, 99, full=True) == 0
    unheard = Siblings([], 0, clock, present=True)
    unheard.tell(1, full=False, no_lane=False, leaving=False)
    assert not unheard.alone()  # they may be there, and nothing tells
    assert unheard.surplus(1000, 99, full=True) == 0


def test_one_of_several_is_alone_until_another_speaks(two: Two) -> None:
    two.one.tell(0, full=False, no_lane=False, leaving=False)
    assert two.one.alone()
    two.other.tell(0, full=False, no_lane=False, leaving=False)
    assert not two.one.alone()
    two.clock.advance(3.1)
    assert two.one.alone()


def test_a_line_for_each_slot() -> None:
    page, now_ns = new_pulse(), 10**15
    assert page.fewest(1, now_ns) == GONE
    assert page.alone(1, now_ns)
    page.tell(63, 2, now_ns - 3 * 10**9)  # has gone
    page.tell(63, 3, now_ns)
    assert page.fewest(1, now_ns) == 3  # whoever has spoken first: all are heard
    assert page.alone(63, now_ns)
    page.tell(63, 60, now_ns)
    for slot in range(1, 6):
        page.tell(slot, slot * 10, now_ns)
    assert page.fewest(1, now_ns) == 20
    assert page.fewest(2, now_ns) == 10
    assert not page.alone(1, now_ns)
    page.tell(3, 1 << 40, now_ns)
    assert page.fewest(1, now_ns) == 20
    assert page.word[0] == 0
