"""When a process stands by for an elder sibling, and when it serves again: by values, no kernel is asked."""

from __future__ import annotations

import pytest
from support.serving import Clock, new_pulse

from wsgigroups.runtime.serving import standby
from wsgigroups.runtime.serving.siblings import AHEAD, Siblings
from wsgigroups.runtime.serving.standby import Standby
from wsgigroups.runtime.wire.pulse import NO_LANE


class Machine:
    """Cores, a leader that waits for one, and a process that looks."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.thread, self.waited_s, self.idle_s = 1, 100.0, 5000.0
        self.broken = False
        self.reads = 0
        self.standby = Standby(self.waited, self.idle)

    def waited(self) -> tuple[int, int]:
        """Say what schedstat would."""
        self.reads += 1
        if self.broken:
            raise FileNotFoundError("/proc/thread-self/schedstat")
        return self.thread, round(self.waited_s * 1e9)

    def idle(self) -> int:
        """Say what uptime would."""
        self.reads += 1
        if self.broken:
            raise FileNotFoundError("/proc/uptime")
        return round(self.idle_s * 1e9)

    def look(self, after_s: float, waited: float = 0.0, idle: float = 0.0) -> bool:
        """Let time pass, of which the leader waits for a core for a share, and so many cores are idle; look."""
        self.clock.advance(after_s)
        self.waited_s += after_s * waited
        self.idle_s += after_s * idle
        return self.standby.look(self.clock())

    def crowd(self) -> None:
        """Make the process stand by."""
        self.look(0.05)
        assert self.look(0.05, waited=0.5)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize(
    ("after_s", "waited", "stands_by"),
    [
        (0.05, 0.0, False),
        (0.05, 0.09, False),
        (0.05, 0.11, True),
        (0.2, 0.11, True),
        (0.21, 1.0, False),  # what was counted is too old: it may have been at any time since
        (0.049, 1.0, False),  # not looked at yet
    ],
)
def test_it_stands_by_if_its_leader_has_waited_for_a_core(
    machine: Machine, after_s: float, waited: float, stands_by: bool
) -> None:
    assert not machine.look(0.05, waited=1.0)  # the first look has nothing to compare with
    assert machine.look(after_s, waited) is stands_by


def test_what_another_thread_has_waited_says_nothing(machine: Machine) -> None:
    machine.look(0.05)
    machine.thread = 2
    assert not machine.look(0.05, waited=1.0)
    assert machine.look(0.05, waited=1.0)


@pytest.mark.parametrize(("idle", "goes_on"), [(0.0, True), (0.35, True), (0.45, False), (2.0, False)])
def test_it_serves_again_if_a_core_is_idle_meanwhile(machine: Machine, idle: float, goes_on: bool) -> None:
    machine.crowd()
    assert machine.look(0.199, idle=2.0)  # too short a time to tell
    machine.idle_s -= 0.398
    assert machine.look(0.001 + 0.1, idle=idle * 3) is goes_on


def test_from_one_try_in_vain_to_the_next_it_waits_twice_as_long(machine: Machine) -> None:
    machine.crowd()
    for rest_s in (1, 2, 4, 8, 16, 32, 64, 64):
        assert not machine.look(0.2, idle=1.0)
        reads = machine.reads
        while rest_s > 0.1:
            assert not machine.look(0.05, waited=0.5)
            rest_s -= 0.05
        assert machine.reads == reads  # nor is the kernel asked
        for _ in range(4):
            machine.look(0.05, waited=0.5)
        assert machine.standby.active


def test_one_that_has_been_right_for_a_while_may_try_again_soon(machine: Machine) -> None:
    machine.crowd()
    for _ in range(3):
        assert not machine.look(0.2, idle=1.0)
        machine.clock.advance(5.0)
        machine.crowd()
    for _ in range(5):
        assert machine.look(0.2)
    assert not machine.look(0.2, idle=1.0)
    machine.clock.advance(1.0)
    machine.crowd()


def test_after_a_time_without_connections_it_serves(machine: Machine) -> None:
    machine.crowd()
    assert not machine.look(60.0, idle=2.0)


@pytest.mark.parametrize("stands_by", [False, True])
def test_without_proc_it_serves_and_asks_no_more(machine: Machine, stands_by: bool) -> None:
    if stands_by:
        machine.crowd()
    machine.broken = True
    assert not machine.look(0.3)
    reads = machine.reads
    assert not machine.look(100.0, waited=1.0)
    assert machine.reads == reads


def test_the_kernel_says_it() -> None:
    thread, waited_ns = standby.waited_ns()
    assert (thread, waited_ns) <= standby.waited_ns()
    assert thread > 0
    idle_ns = standby.idle_ns()
    assert 0 < idle_ns <= standby.idle_ns()


class Family:
    """Three processes that share a listener; the one of slot 1 is looked at."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.clock = self.machine.clock
        self.page = new_pulse()
        self.elder, self.one, self.younger = (Siblings([self.page], slot, self.clock, True) for slot in range(3))
        self.one.standby = self.machine.standby
        self.taken = 0

    def wants(self, connections: int = 3, taken: int = 40, gone: bool = True) -> bool:
        """Whether a sibling is wanted for the next connection, a look later; taken: meanwhile."""
        self.clock.advance(0.05)
        self.machine.waited_s += 0.03
        self.taken += taken
        if not gone:
            connections += self.taken
        return self.one.want(self.page, connections, self.taken, False)


@pytest.fixture
def family() -> Family:
    return Family()


def test_clients_that_connect_for_each_request_are_left_to_an_elder_one_if_cores_are_few(family: Family) -> None:
    family.elder.tell(3, full=False, no_lane=False, leaving=False)
    assert [family.wants() for _ in range(4)] == [False, False, True, True]
    assert family.wants(taken=0)  # none come here any more, and it goes on


@pytest.mark.parametrize("full", [True, False])
def test_but_not_to_one_that_takes_none_or_a_younger_one(family: Family, full: bool) -> None:
    family.younger.tell(3, full=False, no_lane=False, leaving=False)
    assert [family.wants() for _ in range(3)] == [False] * 3
    family.elder.tell(3, full=False, no_lane=False, leaving=False)
    assert [family.wants() for _ in range(2)] == [False, True]
    family.elder.tell(3, full=full, no_lane=not full, leaving=False)
    assert not family.wants()
    assert not family.machine.standby.active


def test_nor_are_clients_that_stay(family: Family) -> None:
    family.elder.tell(1000, full=False, no_lane=False, leaving=False)
    assert [family.wants(gone=False) for _ in range(4)] == [False] * 4
    family.elder.tell(0, full=False, no_lane=False, leaving=False)
    assert family.wants(gone=False)  # it has AHEAD fewer
    assert family.taken > AHEAD
    assert family.machine.reads == 0


def test_who_is_elder() -> None:
    page, now_ns = new_pulse(), 10**15
    page.tell(2, 7, now_ns)
    assert [page.has_elder(slot, now_ns) for slot in (0, 1, 2, 3, 63, 64, 67)] == [False] * 3 + [True] * 2 + [
        False,
        True,
    ]
    page.tell(2, NO_LANE, now_ns)
    assert not page.has_elder(3, now_ns)
    page.tell(2, NO_LANE - 1, now_ns - 3 * 10**9)
    assert not page.has_elder(3, now_ns)
