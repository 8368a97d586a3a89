"""Who takes a new connection, by what the processes of a listener tell each other."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Iterator

import pytest
from support.serving import Clock, receive_response, serving
from unit.serving.test_crew import GET, Gated, pass_time, queue_up, waiting

from wsgigroups.runtime.protocol.forwarding import Trust
from wsgigroups.runtime.serving import crew
from wsgigroups.runtime.serving.listening import Listener, Listening
from wsgigroups.runtime.serving.siblings import AHEAD
from wsgigroups.runtime.wire import pulse
from wsgigroups.runtime.wire.pulse import FULL, GONE, NO_LANE, Pulse


class Pair:
    """Two processes on one listener, as far as Listening is concerned."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(8)
        self.sock.setblocking(False)
        fd = pulse.create("test")
        self.pulse = Pulse(fd)
        self.epolls = [select.epoll(), select.epoll()]
        self.one, self.other = (
            Listening([Listener(self.sock, {}, Pulse(fd))], epoll, self.clock, lambda *_: None, True, slot)
            for slot, epoll in enumerate(self.epolls, 1)
        )
        os.close(fd)
        self.fd = self.sock.fileno()

    def close(self) -> None:
        for epoll in self.epolls:
            epoll.close()
        self.sock.close()


@pytest.fixture
def siblings() -> Iterator[Pair]:
    found = Pair()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("mine", "others", "left"),
    [(0, 0, False), (AHEAD - 1, 0, False), (AHEAD, 0, True), (20, 17, False), (20, 16, True), (3, 50, False)],
)
def test_the_one_with_more_leaves_it(siblings: Pair, mine: int, others: int, left: bool) -> None:
    siblings.one.tell(mine)
    siblings.other.tell(others)
    assert siblings.one.leaves(siblings.fd, mine) is left
    assert (siblings.one.paused_until_ns > 0) is left


def test_it_is_taken_after_the_pause_when_nobody_else_did(siblings: Pair) -> None:
    siblings.other.tell(0)
    assert siblings.one.leaves(siblings.fd, 10)
    siblings.clock.advance(0.002)
    assert not siblings.one.leaves(siblings.fd, 10)
    siblings.one.accept(siblings.fd, Trust(()), 1)  # there is none, but this notes a pulse
    siblings.clock.advance(0.001)
    assert siblings.one.leaves(siblings.fd, 11)  # the next one is offered again
    siblings.other.accept(siblings.fd, Trust(()), 1)
    assert siblings.one.leaves(siblings.fd, 11)  # the sibling is there: leave it more


def test_who_is_full_has_stopped_or_is_silent_gets_nothing(siblings: Pair) -> None:
    siblings.other.tell(0)
    siblings.other.saturated = True
    siblings.other.tell(0)
    assert not siblings.one.leaves(siblings.fd, 10)
    siblings.other.saturated = False
    siblings.other.tell(0)
    assert siblings.one.leaves(siblings.fd, 10)
    siblings.clock.advance(3.1)
    assert not siblings.one.leaves(siblings.fd, 10)
    siblings.other.tell(0)
    assert siblings.one.leaves(siblings.fd, 10)
    siblings.other.stopped = True
    siblings.other.tell(0)
    siblings.one.accept(siblings.fd, Trust(()), 1)
    assert not siblings.one.leaves(siblings.fd, 10)


def test_alone_it_takes_all() -> None:
    found = Pair()
    alone = Listening([Listener(found.sock, {}, found.pulse)], found.epolls[0], found.clock, lambda *_: None, False)
    found.other.tell(0)
    assert not alone.leaves(found.fd, 1000)
    found.close()


def watches_when_saturated(listening: Listening) -> bool:
    listening.saturated = True
    listening.adjust(full=False)
    watching = listening.watching
    assert listening.probing() is not watching  # one of them, or connections wait for ever
    return watching


def test_who_is_saturated_leaves_all_to_siblings_that_there_are(siblings: Pair) -> None:
    siblings.one.tell(0)
    assert watches_when_saturated(siblings.one)  # nobody else is there
    siblings.other.tell(3)
    assert not watches_when_saturated(siblings.one)
    siblings.other.saturated = True
    siblings.other.tell(3)
    assert not watches_when_saturated(siblings.one)  # it may be free at any moment
    siblings.clock.advance(3.1)
    assert watches_when_saturated(siblings.one)  # it has gone


def test_who_has_no_lane_leaves_all_to_siblings_that_have_one(siblings: Pair) -> None:
    one, other = siblings.one, siblings.other

    def watches() -> bool:
        one.adjust(full=False)
        assert one.probing() is not one.watching
        return one.watching

    one.reserved = True
    one.tell(0)
    assert watches()  # nobody else is there
    other.tell(3)
    assert not watches()
    for reserved, saturated in ((True, False), (False, True), (True, True)):
        other.reserved, other.saturated = reserved, saturated
        other.tell(3)
        assert watches()  # a thread is free here at least, for those who need it for a moment
        other.reserved = other.saturated = False
        other.tell(3)
        assert not watches()
    siblings.clock.advance(3.1)
    assert watches()  # it has gone


def test_who_was_woken_although_it_has_no_lane_leaves_the_connection_to_who_has_one(siblings: Pair) -> None:
    siblings.one.reserved = True
    siblings.other.tell(5)
    assert siblings.one.leaves(siblings.fd, 1)
    siblings.clock.advance(0.002)
    assert not siblings.one.leaves(siblings.fd, 1)  # nobody has taken it
    siblings.other.reserved = True
    siblings.other.tell(5)
    assert not siblings.one.leaves(siblings.fd, 1)


def test_a_process_without_a_lane_is_not_taken_for_a_full_one(siblings: Pair) -> None:
    siblings.one.saturated = siblings.other.reserved = True
    with socket.create_connection(siblings.sock.getsockname()):
        siblings.other.tell(0)
        assert siblings.pulse.fewest(0, siblings.clock()) == NO_LANE
        siblings.one.probe(0)
        assert siblings.one.probe(5) == []  # it will be taken there
        assert not siblings.one.leaves(siblings.fd, 1000)
        assert siblings.one.siblings.surplus(1000, full=True) == 0
        siblings.other.accept(siblings.fd, Trust(()), 0)
        assert siblings.pulse.word[0] == siblings.clock()


def saturate(siblings: Pair, *, other: bool) -> None:
    siblings.one.saturated, siblings.other.saturated = True, other
    siblings.other.siblings.moved()
    siblings.one.tell(8)
    siblings.other.tell(8)


def test_when_nobody_is_free_who_gets_on_takes_a_few(siblings: Pair) -> None:
    with socket.create_connection(siblings.sock.getsockname()):
        saturate(siblings, other=True)
        assert siblings.one.probe(100) == []  # the first look: when those calls ended is not known
        assert siblings.one.probe(102) == [(siblings.fd, 2)]
        assert siblings.one.probe(120) == [(siblings.fd, 4)]
        siblings.one.siblings.count(3)
        siblings.other.siblings.count(2)
        saturate(siblings, other=True)
        assert siblings.one.probe(121) == []  # fewer wait there
        siblings.one.siblings.count(2)
        siblings.other.siblings.count(3)
        saturate(siblings, other=True)
        assert siblings.one.probe(122) == [(siblings.fd, 1)]
        saturate(siblings, other=False)
        assert siblings.one.probe(125) == []  # the sibling will
        saturate(siblings, other=True)
        siblings.clock.advance(0.06)
        assert siblings.one.probe(130) == []  # it has not looked for a while


def test_who_is_stuck_takes_none_while_others_get_on(siblings: Pair) -> None:
    with socket.create_connection(siblings.sock.getsockname()):
        saturate(siblings, other=True)
        for _ in range(100):
            siblings.other.saturated = False
            siblings.other.accept(siblings.fd, Trust(()), 0)  # notes a pulse
            siblings.other.saturated = True
            siblings.clock.advance(0.025)
            siblings.other.tell(8)
            assert siblings.one.probe(7) == []
        found: list[tuple[int, int]] = []
        looks = 0
        while not found:
            siblings.clock.advance(0.025)
            siblings.other.tell(8)
            found = siblings.one.probe(7)
            looks += 1
        assert 8 <= looks <= 17  # 0.2 s without a pulse, and as many looks
        assert found == [(siblings.fd, 64)]


def test_looks_are_in_a_row_and_take_their_time(siblings: Pair) -> None:
    def look(after_s: float = 0.03) -> list[tuple[int, int]]:
        siblings.clock.advance(after_s)
        siblings.other.tell(8)
        return siblings.one.probe(7)

    saturate(siblings, other=True)
    siblings.clock.advance(1)
    with socket.create_connection(siblings.sock.getsockname()):
        assert [look() for _ in range(7)] == [[]] * 7
        for connection in siblings.other.accept(siblings.fd, Trust(()), 1):
            connection.sock.close()
    assert look() == []  # nobody waits
    with socket.create_connection(siblings.sock.getsockname()):
        assert look() == []
        assert look(0.3) == []  # who was kept from looking cannot tell
        assert [look(0) for _ in range(5)] == [[]] * 5
        assert look(0) == [(siblings.fd, 64)]
        assert [look(0) for _ in range(20)] == [[]] * 20  # no time has passed
        assert look(0.2) == [(siblings.fd, 64)]


def test_it_looks_more_often_while_calls_end(siblings: Pair) -> None:
    assert siblings.one.probe_s == 0.025
    siblings.one.siblings.moved()
    assert siblings.one.probe_s == 0.005


def test_connections_taken_count_those_that_have_gone(siblings: Pair) -> None:
    siblings.other.tell(0)
    for _ in range(16):
        with socket.create_connection(siblings.sock.getsockname()):
            (connection,) = siblings.one.accept(siblings.fd, Trust(()), 1)
            connection.sock.close()
    siblings.clock.advance(0.05)
    assert not siblings.one.leaves(siblings.fd, AHEAD)


def pulse_page(monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """Return the page of a listener on which no process says anything but what has changed."""
    monkeypatch.setattr(crew, "HEARTBEAT_S", 3600.0)
    fd = pulse.create("test")
    page = Pulse(fd)
    os.close(fd)
    return page


def heard_on(page: Pulse) -> int:
    """Return what the process of slot 1 has said last."""
    return int(page.word[1 + 1]) & GONE


def test_siblings_hear_at_once_that_nobody_is_free_here(monkeypatch: pytest.MonkeyPatch) -> None:
    page, gated = pulse_page(monkeypatch), Gated()
    with (
        serving(gated, threads=2, multiprocess=True, pulses=[page]) as running,
        running.connect() as first,
        running.connect() as second,
    ):
        running.wait(lambda: heard_on(page) == 2)
        for sock in (first, second):
            sock.sendall(GET % b"/wait")
        gated.wait_arrivals(2)
        running.wait(lambda: heard_on(page) >= FULL)
        gated.open(2)
        running.wait(lambda: heard_on(page) == 2)


def test_nobody_waits_and_nothing_is_taken(siblings: Pair) -> None:
    saturate(siblings, other=True)
    siblings.one.probe(1)
    assert siblings.one.probe(5) == []


def test_clients_of_a_longer_queue_connect_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    page, gated, clock = pulse_page(monkeypatch), Gated(), Clock()
    with (
        serving(gated, threads=2, multiprocess=True, pulses=[page], clock=clock) as running,
        waiting(running, gated, 2) as first,
        contextlib.ExitStack() as stack,
    ):
        queued = queue_up(running, stack, [b"/wait"] * 5)
        page.tell(0, FULL + 1, clock())
        pass_time(running, clock, 0.06)
        running.wait(lambda: running.server._poller.surplus == 2)
        gated.open(7)
        ends = [receive_response(sock)[1].get("connection") for sock in [*first, *queued]]
        assert ends.count("close") == 2
        assert ends.count(None) == 5


def test_the_queue_is_told_while_nobody_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    page, gated, clock = pulse_page(monkeypatch), Gated(), Clock()
    with (
        serving(gated, threads=2, multiprocess=True, pulses=[page], clock=clock) as running,
        waiting(running, gated, 2) as first,
        contextlib.ExitStack() as stack,
    ):
        queued = queue_up(running, stack, [b"/wait"] * 5)
        page.tell(0, FULL, clock())
        pass_time(running, clock, 0.001)
        running.wait(lambda: running.server._listening._looked_ns == clock())
        running.wait(lambda: heard_on(page) == GONE)  # no call has ended that it could tell by
        gated.open(3)  # two were the leader's calls when they began
        gated.wait_arrivals(3)
        running.wait(lambda: heard_on(page) == FULL + 5)
        pass_time(running, clock, 0.041)
        running.wait(lambda: heard_on(page) == FULL + 2)
        gated.open(4)
        for sock in [*first, *queued]:
            assert receive_response(sock)[0] == 200
        running.wait(lambda: heard_on(page) == 7)
