"""When a process stands by for an elder sibling, and when it serves again: by values, no kernel is asked."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest
from support.serving import Clock, new_pulse, receive_response, serving
from unit.calls.test_crew import GET, pass_time
from unit.front.test_listening import heard_on, pulse_page

from wsgigroups.runtime.calls import crew
from wsgigroups.runtime.front import standby
from wsgigroups.runtime.front.listening import Listening
from wsgigroups.runtime.front.siblings import Siblings
from wsgigroups.runtime.front.standby import Standby
from wsgigroups.runtime.wire.pulse import GONE, NO_LANE, STANDING_BY, Report


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

    def look(
        self,
        after_s: float,
        waited: float = 0.0,
        idle: float = 0.0,
        *,
        enough: bool = True,
        cores: float = 1.0,
        calls: float = 1000.0,
    ) -> bool:
        """Let time pass, of which the leader waits for a core for a share, and so many cores are idle; look."""
        self.clock.advance(after_s)
        self.waited_s += after_s * waited
        self.idle_s += after_s * idle
        self.standby.look(self.clock(), enough, cores, calls)
        return self.standby.active

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


@pytest.mark.parametrize(("idle", "goes_on"), [(0.0, True), (0.45, True), (0.55, False), (2.0, False)])
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


@pytest.mark.parametrize(("cores", "stands_by"), [(0.2, True), (1.35, True), (1.36, False), (2.0, False)])
def test_it_serves_where_all_use_more_than_one_could(machine: Machine, cores: float, stands_by: bool) -> None:
    machine.look(0.05)
    assert machine.look(0.05, waited=0.5, cores=cores) is stands_by


def test_it_serves_while_an_elder_one_cannot(machine: Machine) -> None:
    machine.look(0.05)
    assert not machine.look(0.05, waited=0.5, enough=False)
    assert not machine.look(0.05, waited=0.5)  # from now on it is known how long the leader waits
    assert machine.look(0.05, waited=0.5)
    assert not machine.look(0.001, enough=False)  # at once
    machine.crowd()  # nor was that in vain


@pytest.mark.parametrize(("calls", "goes_on"), [(900.0, True), (899.0, False), (0.0, False)])
def test_it_serves_again_if_fewer_requests_are_answered_than_before(
    machine: Machine, calls: float, goes_on: bool
) -> None:
    machine.crowd()
    assert machine.look(0.2, calls=calls) is goes_on
    if goes_on:
        assert machine.look(0.2, calls=1.0)  # clients come and go
    else:
        assert not any(machine.look(0.19, waited=0.5) for _ in range(5))  # it rests for a second
        machine.look(0.1)
        assert machine.look(0.05, waited=0.5)


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
    """Three processes that share a listener; the one of slot 1 is looked at, and its leader waits for a core."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.clock = self.machine.clock
        self.page = new_pulse()
        self.cpu_s = [7.0, 7.0, 7.0]
        self.calls = [0, 0, 0]
        self.elder, self.one, self.younger = self.all = [
            Siblings([self.page], slot, self.clock, True, lambda slot=slot: round(self.cpu_s[slot] * 1e9))
            for slot in range(3)
        ]
        self.one.standby = self.machine.standby
        self.others_brief = True
        for sibling in self.all:
            sibling.tell(3, full=False, no_lane=False, leaving=False)

    def look(
        self, *, brief: bool = True, cores: float = 0.5, calls: float = 1000.0, own: float = 1.0, elder: bool = True
    ) -> bool:
        """Let a while pass and all look, in which all do as much, and slot 1 its share; whether slot 1 stands by."""
        self.clock.advance(0.05)
        self.machine.waited_s += 0.03
        for slot, sibling in enumerate(self.all):
            self.cpu_s[slot] += 0.05 * cores
            self.calls[slot] += round(0.05 * calls * (own if slot == 1 else 1))
            if slot == 1 or (elder and slot == 0):
                sibling.look(self.clock(), self.calls[slot], brief if slot == 1 else self.others_brief)
        return self.one.standby.active

    def stand_by(self) -> None:
        """Have slot 1 stand by."""
        assert [self.look() for _ in range(2)] == [False, True]


@pytest.fixture
def family() -> Family:
    return Family()


def test_what_it_has_done_is_reported(family: Family) -> None:
    family.look()
    family.look(cores=0.25, calls=2000)
    assert family.page.reports(family.clock()) == {0: Report(True, 0.25, 2000), 1: Report(True, 0.25, 2000)}
    family.others_brief = False
    family.look(brief=False, cores=50, calls=10**9)
    assert family.page.reports(family.clock()) == {slot: Report(False, 4.095, (1 << 20) - 1) for slot in (0, 1)}
    family.look(cores=-1, calls=-100)  # whatever a clock may do
    assert family.page.reports(family.clock())[1] == Report(True, 0, 0)
    family.clock.advance(0.3)
    assert len(family.page.reports(family.clock())) == 2
    family.clock.advance(0.1)
    assert family.page.reports(family.clock()) == {}


def test_looks_are_taken_every_50_ms(family: Family) -> None:
    assert family.one.reporting
    family.look()
    assert family.one.next_look_ns == family.clock() + 50_000_000
    assert not Siblings([], 0, family.clock, present=True).reporting
    assert not Siblings([family.page], 0, family.clock, present=False).reporting


@pytest.mark.parametrize(
    ("change", "stands_by"),
    [
        ({}, True),
        ({"brief": False}, False),
        ({"cores": 0.67}, True),
        ({"cores": 0.68}, False),
        ({"elder": False}, False),  # it has nothing to do: nobody pushes anybody
    ],
)
def test_one_whose_calls_are_short_stands_by_if_one_core_is_enough(
    family: Family, change: dict[str, Any], stands_by: bool
) -> None:
    assert [family.look(**change) for _ in range(2)] == [False, stands_by]


def test_not_if_the_elder_ones_calls_are_long(family: Family) -> None:
    family.others_brief = False
    assert [family.look() for _ in range(3)] == [False] * 3
    family.others_brief = True
    family.stand_by()
    family.others_brief = False
    assert not family.look()


def test_it_goes_on_while_it_has_no_calls_itself(family: Family) -> None:
    family.stand_by()
    for _ in range(9):  # the elder one answers as many as both have before
        assert family.look(brief=False, calls=2000, own=0)


def test_it_serves_again_if_the_elder_one_answers_fewer_than_both_have(family: Family) -> None:
    family.stand_by()
    assert False in [family.look(brief=False, calls=1700, own=0) for _ in range(5)]


@pytest.mark.parametrize(
    ("full", "no_lane", "leaving"), [(True, False, False), (False, True, False), (False, False, True)]
)
def test_it_serves_if_the_elder_one_takes_none(family: Family, full: bool, no_lane: bool, leaving: bool) -> None:
    family.stand_by()
    assert family.one.want(family.page, 0, 9, no_lane=False)
    family.elder.tell(3, full, no_lane, leaving)
    assert not family.one.want(family.page, 0, 9, no_lane=False)  # at once
    assert not family.look()


def test_whoever_is_younger_does_not_help(family: Family) -> None:
    family.elder.tell(3, full=True, no_lane=False, leaving=True)
    assert [family.look() for _ in range(4)] == [False] * 4


def test_nobody_stands_by_for_nobody() -> None:
    machine = Machine()
    alone = Siblings([], 1, machine.clock, present=True, cpu=lambda: 0)
    alone.standby = machine.standby
    for _ in range(4):
        machine.clock.advance(0.05)
        machine.waited_s += 0.05
        alone.look(machine.clock(), 100, brief=True)
        assert not alone.standby.active


def test_the_others_do_not_count_on_one_that_stands_by(family: Family) -> None:
    assert not family.elder.serve_alone()
    family.stand_by()
    family.one.tell(0, full=False, no_lane=False, leaving=False)
    assert not family.elder.serve_alone()  # the third one
    family.younger.tell(0, full=False, no_lane=False, leaving=True)
    assert not family.elder.serve_alone()
    family.younger.standby.active = True
    family.younger.tell(0, full=False, no_lane=False, leaving=False)
    assert family.elder.serve_alone()
    assert not family.elder.alone()
    assert not family.elder.want(family.page, 1000, 0, no_lane=False)
    assert family.elder.surplus(1000, 50, full=False) == 0
    assert Siblings([], 0, family.clock, present=False).serve_alone()
    assert not Siblings([], 0, family.clock, present=True).serve_alone()


def test_its_clients_connect_anew(family: Family) -> None:
    assert family.one.surplus(17, 0, full=False) == 0
    family.stand_by()
    assert family.one.surplus(17, 0, full=False) == 17
    assert family.one.surplus(17, 3, full=False) == 17


@pytest.mark.parametrize(("cores", "surplus"), [(0.89, 0), (0.91, 4)])
def test_one_that_uses_a_whole_core_shares_with_one_that_does_not_stand_by(
    family: Family, cores: float, surplus: int
) -> None:
    family.younger.tell(5, full=False, no_lane=False, leaving=False)
    family.look(cores=cores)
    family.look(cores=cores)
    assert family.elder.surplus(11, 0, full=False) == surplus  # slot 1 has three
    assert family.elder.surplus(10, 0, full=False) == 0


def test_a_process_that_hears_of_a_cores_shortage_reads_no_more_than_it_needs(family: Family) -> None:
    family.others_brief = False
    for _ in range(5):
        family.look()
    assert family.machine.reads == 0


def hello(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def connection_field(sock: socket.socket) -> str | None:
    """Ask, and return what the answer says of the connection."""
    sock.sendall(GET % b"/")
    status, fields, _body = receive_response(sock)
    assert status == 200
    return fields.get("connection")


def test_a_process_stands_by_with_all_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    page, clock = pulse_page(monkeypatch), Clock()
    with serving(hello, multiprocess=True, pulses=[page], clock=clock) as running, contextlib.ExitStack() as stack:
        siblings = running.server._listening.siblings
        siblings.standby = Standby(lambda: (1, clock()), lambda: 0)  # its leader gets no core, and none is idle
        siblings._cpu = lambda: 0
        first, second = (stack.enter_context(running.connect()) for _ in range(2))
        for _ in range(crew.BRIEF_ROW + 1):
            assert connection_field(first) is None
        assert connection_field(second) is None
        page.tell(0, 3, clock())
        for _ in range(2):
            page.report(0, Report(True, 0.5, 1000), clock())
            pass_time(running, clock, 0.05)
            running.wait(lambda: siblings.next_look_ns == clock() + 50_000_000)
        running.wait(lambda: heard_on(page) == STANDING_BY)
        assert connection_field(first) == connection_field(second) == "close"
        assert first.recv(1) == b""

        third = stack.enter_context(running.connect())
        third.sendall(GET % b"/")
        running.wait(lambda: running.server._listening.paused_until_ns)  # it is left to the elder one
        pass_time(running, clock, 0.0021)
        assert receive_response(third)[0] == 200  # which has not taken it

        page.tell(0, GONE, clock())
        connection_field(stack.enter_context(running.connect()))  # answered at once
        pass_time(running, clock, 0.05)
        running.wait(lambda: heard_on(page) < STANDING_BY)
        assert connection_field(stack.enter_context(running.connect())) is None


def test_it_looks_by_itself_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    page = pulse_page(monkeypatch)
    with serving(hello, multiprocess=True, pulses=[page]) as running:
        siblings = running.server._listening.siblings
        siblings.standby.active = True
        running.server._poller.wake()
        running.wait(lambda: not siblings.standby.active)  # there is no elder one
        running.wait(lambda: heard_on(page) == 0)


def test_who_is_elder() -> None:
    page, now_ns = new_pulse(), 10**15
    page.tell(2, 7, now_ns)
    found = [page.elders(slot, now_ns) for slot in (0, 1, 2, 3, 63, 64, 67)]
    assert found == [[], [], [], [2], [2], [], [2]]
    for said, elders in ((STANDING_BY - 1, [2]), (STANDING_BY, []), (NO_LANE, [])):
        page.tell(2, said, now_ns)
        assert page.elders(3, now_ns) == elders
    page.tell(2, 7, now_ns - 3 * 10**9)
    assert page.elders(3, now_ns) == []


def test_the_one_that_takes_connections_has_to_be_the_one_with_short_calls(family: Family) -> None:
    machine, youngest = Machine(), Siblings([family.page], 3, family.clock, True, lambda: 0)
    youngest.standby = Standby(machine.waited, machine.idle)
    family.one.tell(3, full=True, no_lane=False, leaving=False)  # its calls are short, but it takes none
    family.others_brief = False
    for _ in range(3):
        family.look()
        machine.waited_s += 0.05
        youngest.look(family.clock(), 0, brief=True)
        assert not youngest.standby.active
    family.one.tell(3, full=False, no_lane=False, leaving=False)
    for _ in range(2):
        family.look()
        machine.waited_s += 0.05
        youngest.look(family.clock(), 0, brief=True)
    assert youngest.standby.active


def test_reports_outlive_the_end_of_their_clock() -> None:
    page, now_ns = new_pulse(), (1 << 31) * 10**8
    page.tell(1, 0, now_ns)
    for when_ns in (now_ns - 1, now_ns):
        page.report(0, Report(True, 0.0, 0.0), when_ns)
        assert page.reports(now_ns) == {0: Report(True, 0.0, 0.0)}  # slot 1 has reported nothing
    assert page.reports(now_ns + 4 * 10**8) == {}
    page.report(64, Report(True, 1.0, 0.0), now_ns)
    assert page.reports(now_ns) == {0: Report(True, 1.0, 0.0)}


def test_what_the_leader_reports_is_what_all_threads_have_done() -> None:
    with serving(hello, multiprocess=True, pulses=[new_pulse()], clock=Clock()) as running, running.connect() as sock:
        work = running.server._poller.work
        for number in range(crew.BRIEF_ROW):
            assert work() == (number, False)
            assert connection_field(sock) is None
            running.wait_word("requests_total", number + 1)
        assert work() == (crew.BRIEF_ROW, True)
        running.server._crew._ended_calls += 7
        assert work() == (crew.BRIEF_ROW + 7, True)


@pytest.mark.parametrize(("said", "most"), [(STANDING_BY, 64), (3, 4), (NO_LANE, 4)])
def test_who_serves_alone_accepts_all_at_once(monkeypatch: pytest.MonkeyPatch, said: int, most: int) -> None:
    asked: list[int] = []
    accept = Listening.accept
    monkeypatch.setattr(
        Listening, "accept", lambda self, fd, trust, most: asked.append(most) or accept(self, fd, trust, most)
    )
    page = pulse_page(monkeypatch)
    page.tell(0, said, time.monotonic_ns())
    with serving(hello, multiprocess=True, pulses=[page]) as running, running.connect() as sock:
        assert connection_field(sock) is None
        assert asked == [most]


def test_clients_that_were_to_leave_for_a_queue_may_stay_when_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(hello, multiprocess=True, pulses=[pulse_page(monkeypatch)]) as running, running.connect() as sock:
        poller = running.server._poller
        assert connection_field(sock) is None
        running.server._listening.siblings.next_look_ns = 1 << 62
        poller.surplus = 3  # of another kind
        poller.wake()
        assert connection_field(sock) == "close"
        poller._queue_surplus = 2
        poller.wake()
        running.wait(lambda: poller.surplus == 0)
