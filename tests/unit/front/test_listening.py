"""Who takes a new connection, by what the processes of a listener tell each other."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gated import GET, Gated, pass_time, queue_up, waiting
from support.looking import pause
from support.pulses import heard_on, pulse_page
from support.serving import Clock, Running, new_pulse, receive_response, serving

from wsgigroups.runtime.front.listener import Listener
from wsgigroups.runtime.front.listening import Listening
from wsgigroups.runtime.front.siblings import AHEAD
from wsgigroups.runtime.protocol.forwarding import Trust
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
def pair() -> Iterator[Pair]:
    found = Pair()
    yield found
    found.close()


def test_processes_with_nothing_to_do_take_connections_in_turn(pair: Pair) -> None:
    """Also when those come one after another, and the first that waits could take them all."""
    taken: queue.Queue[int] = queue.Queue()
    over = threading.Event()

    def take(number: int, listening: Listening, epoll: select.epoll) -> None:
        listening.adjust(full=False)
        while epoll.poll() and not over.is_set():
            for connection in listening.accept(pair.fd, Trust([]), 1):
                connection.sock.close()
                taken.put(number)

    both = ((1, pair.one, pair.epolls[0]), (2, pair.other, pair.epolls[1]))
    threads = [threading.Thread(target=take, args=args) for args in both]
    for thread in threads:
        thread.start()
    try:
        who = []
        for _ in range(20):
            pause()  # both wait
            with socket.create_connection(pair.sock.getsockname()):
                who.append(taken.get(timeout=30))
    finally:
        over.set()
        pair.sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(30)
    assert min(who.count(1), who.count(2)) >= 8, who


@pytest.mark.parametrize(
    ("mine", "others", "left"),
    [(0, 0, False), (AHEAD - 1, 0, False), (AHEAD, 0, True), (20, 17, False), (20, 16, True), (3, 50, False),
     (504, 500, False), (561, 500, False), (562, 500, True)],
)  # fmt: skip
def test_the_one_with_more_leaves_it(pair: Pair, mine: int, others: int, left: bool) -> None:
    pair.one.tell(mine)
    pair.other.tell(others)
    assert pair.one.leaves(pair.fd, mine) is left
    assert (pair.one.paused_until_ns > 0) is left


@pytest.mark.parametrize(("waiting", "left"), [(0, True), (6, True), (7, False)])
def test_who_is_ahead_takes_part_while_more_wait_than_it_is_ahead(pair: Pair, waiting: int, left: bool) -> None:
    pair.one.tell(6)
    pair.other.tell(0)
    clients = [socket.create_connection(pair.sock.getsockname()) for _ in range(waiting)]
    try:
        assert pair.one.leaves(pair.fd, 6) is left
    finally:
        for client in clients:
            client.close()


def test_the_kernel_does_not_say_how_many_wait_on_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as sock, socket.socket(socket.AF_UNIX) as client:
        sock.bind(path)
        sock.listen()
        client.connect(path)
        assert Listener(sock, {}).waiting() == 0


def test_it_is_taken_after_the_pause_when_nobody_else_did(pair: Pair) -> None:
    pair.other.tell(0)
    assert pair.one.leaves(pair.fd, 10)
    pair.clock.advance(0.002)
    assert not pair.one.leaves(pair.fd, 10)
    pair.one.accept(pair.fd, Trust(()), 1)  # there is none, but this notes a pulse
    pair.clock.advance(0.001)
    assert pair.one.leaves(pair.fd, 11)  # the next one is offered again
    pair.other.accept(pair.fd, Trust(()), 1)
    assert pair.one.leaves(pair.fd, 11)  # the sibling is there: leave it more


def test_who_is_full_has_stopped_or_is_silent_gets_nothing(pair: Pair) -> None:
    pair.other.tell(0)
    pair.other.saturated = True
    pair.other.tell(0)
    assert not pair.one.leaves(pair.fd, 10)
    pair.other.saturated = False
    pair.other.tell(0)
    assert pair.one.leaves(pair.fd, 10)
    pair.clock.advance(3.1)
    assert not pair.one.leaves(pair.fd, 10)
    pair.other.tell(0)
    assert pair.one.leaves(pair.fd, 10)
    pair.other.stopped = True
    pair.other.tell(0)
    pair.one.accept(pair.fd, Trust(()), 1)
    assert not pair.one.leaves(pair.fd, 10)


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


def test_who_is_saturated_leaves_all_to_siblings_that_there_are(pair: Pair) -> None:
    pair.one.tell(0)
    assert watches_when_saturated(pair.one)  # nobody else is there
    pair.other.tell(3)
    assert not watches_when_saturated(pair.one)
    pair.other.saturated = True
    pair.other.tell(3)
    assert not watches_when_saturated(pair.one)  # it may be free at any moment
    pair.clock.advance(3.1)
    assert watches_when_saturated(pair.one)  # it has gone


@pytest.mark.parametrize("has_siblings", [False, True])
def test_who_leaves_has_connections_wait_for_its_successor_while_no_thread_is_free(has_siblings: bool) -> None:
    gate = Gated()
    pulses = [new_pulse()]  # on which nobody else is heard
    with serving(gate, threads=1, multiprocess=has_siblings, pulses=pulses) as running, running.connect() as sock:
        listening = running.server.listening
        sock.sendall(GET % b"/wait")
        gate.wait_arrivals(1)
        running.wait(lambda: listening.saturated and listening.watching)  # there is nobody else
        running.server.make_way()
        running.wait(lambda: not listening.watching)
        assert not listening.probing()
        with running.connect() as other:
            other.sendall(GET % b"/other")
            gate.open(1)
            assert receive_response(sock)[2] == b"/wait"
            assert receive_response(other)[2] == b"/other"  # it still accepts


def test_who_has_no_lane_leaves_all_to_siblings_that_have_one(pair: Pair) -> None:
    one, other = pair.one, pair.other

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
    pair.clock.advance(3.1)
    assert watches()  # it has gone


def test_who_was_woken_although_it_has_no_lane_leaves_the_connection_to_who_has_one(pair: Pair) -> None:
    pair.one.reserved = True
    pair.other.tell(5)
    assert pair.one.leaves(pair.fd, 1)
    pair.clock.advance(0.002)
    assert not pair.one.leaves(pair.fd, 1)  # nobody has taken it
    pair.other.reserved = True
    pair.other.tell(5)
    assert not pair.one.leaves(pair.fd, 1)


def test_a_process_without_a_lane_is_not_taken_for_a_full_one(pair: Pair) -> None:
    pair.one.saturated = pair.other.reserved = True
    with socket.create_connection(pair.sock.getsockname()):
        pair.other.tell(0)
        assert pair.pulse.fewest(0, pair.clock()) == NO_LANE
        pair.one.probe(0)
        assert pair.one.probe(5) == []  # it will be taken there
        assert not pair.one.leaves(pair.fd, 1000)
        assert pair.one.siblings.surplus(1000, 99, full=True) == 0
        pair.other.accept(pair.fd, Trust(()), 0)
        assert pair.pulse.word[0] == pair.clock()


def saturate(pair: Pair, *, other: bool) -> None:
    pair.one.saturated, pair.other.saturated = True, other
    pair.other.siblings.moved()
    pair.one.tell(8)
    pair.other.tell(8)


def test_when_nobody_is_free_who_gets_on_takes_a_few(pair: Pair) -> None:
    with socket.create_connection(pair.sock.getsockname()):
        saturate(pair, other=True)
        assert pair.one.probe(100) == []  # the first look: when those calls ended is not known
        assert pair.one.probe(102) == [(pair.fd, 2)]
        assert pair.one.probe(120) == [(pair.fd, 4)]
        pair.one.siblings.count(3)
        pair.other.siblings.count(2)
        saturate(pair, other=True)
        assert pair.one.probe(121) == []  # fewer wait there
        pair.one.siblings.count(2)
        pair.other.siblings.count(3)
        saturate(pair, other=True)
        assert pair.one.probe(122) == [(pair.fd, 1)]
        saturate(pair, other=False)
        assert pair.one.probe(125) == []  # the sibling will
        saturate(pair, other=True)
        pair.clock.advance(0.06)
        assert pair.one.probe(130) == []  # it has not looked for a while


def test_who_is_stuck_takes_none_while_others_get_on(pair: Pair) -> None:
    with socket.create_connection(pair.sock.getsockname()):
        saturate(pair, other=True)
        for _ in range(100):
            pair.other.saturated = False
            pair.other.accept(pair.fd, Trust(()), 0)  # notes a pulse
            pair.other.saturated = True
            pair.clock.advance(0.025)
            pair.other.tell(8)
            assert pair.one.probe(7) == []
        found: list[tuple[int, int]] = []
        looks = 0
        while not found:
            pair.clock.advance(0.025)
            pair.other.tell(8)
            found = pair.one.probe(7)
            looks += 1
        assert 8 <= looks <= 17  # 0.2 s without a pulse, and as many looks
        assert found == [(pair.fd, 64)]


def test_looks_are_in_a_row_and_take_their_time(pair: Pair) -> None:
    def look(after_s: float = 0.03) -> list[tuple[int, int]]:
        pair.clock.advance(after_s)
        pair.other.tell(8)
        return pair.one.probe(7)

    saturate(pair, other=True)
    pair.clock.advance(1)
    with socket.create_connection(pair.sock.getsockname()):
        assert [look() for _ in range(5)] == [[]] * 5
        for connection in pair.other.accept(pair.fd, Trust(()), 1):
            connection.sock.close()
    assert look() == []  # nobody waits
    with socket.create_connection(pair.sock.getsockname()):
        assert look() == []
        assert look(0.3) == []  # who was kept from looking cannot tell
        assert [look(0) for _ in range(5)] == [[]] * 5
        assert look(0) == [(pair.fd, 64)]
        assert [look(0) for _ in range(20)] == [[]] * 20  # no time has passed
        assert look(0.2) == [(pair.fd, 64)]


def test_it_looks_more_often_while_calls_end(pair: Pair) -> None:
    assert pair.one.probe_s == 0.025
    pair.one.siblings.moved()
    assert pair.one.probe_s == 0.005


def test_connections_taken_count_those_that_have_gone(pair: Pair) -> None:
    pair.other.tell(0)
    assert not pair.one.leaves(pair.fd, 0)  # begins to count
    for _ in range(16):
        with socket.create_connection(pair.sock.getsockname()):
            (connection,) = pair.one.accept(pair.fd, Trust(()), 1)
            connection.sock.close()
    pair.clock.advance(0.05)
    assert not pair.one.leaves(pair.fd, AHEAD)


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


def test_nobody_waits_and_nothing_is_taken(pair: Pair) -> None:
    saturate(pair, other=True)
    pair.one.probe(1)
    assert pair.one.probe(5) == []


@contextlib.contextmanager
def full_process(page: Pulse, clock: Clock, queued: int) -> Iterator[tuple[Running, Gated, list[socket.socket]]]:
    """Serve with two threads that are at the gate, and so many requests that wait for them; its clock stands still."""
    gated = Gated()
    with (
        serving(gated, threads=2, multiprocess=True, pulses=[page], clock=clock) as running,
        waiting(running, gated, 2) as first,
        contextlib.ExitStack() as stack,
    ):
        yield running, gated, [*first, *queue_up(running, stack, [b"/wait"] * queued)]


@pytest.mark.parametrize(
    ("idle", "sibling", "surplus"),
    [(0, FULL + 1, 2), (12, 0, 5), (2, 0, 4)],
    ids=["shorter queue", "no more than wait", "fewer connections"],
)
def test_clients_of_a_process_with_more_to_do_connect_anew(
    monkeypatch: pytest.MonkeyPatch, idle: int, sibling: int, surplus: int
) -> None:
    page, clock = pulse_page(monkeypatch), Clock()
    with full_process(page, clock, 5) as (running, gated, socks), contextlib.ExitStack() as stack:
        for _ in range(idle):
            stack.enter_context(running.connect())
        running.wait_word("connections", 7 + idle)
        page.tell(0, sibling, clock())
        pass_time(running, clock, 0.401)
        running.wait(lambda: running.server.poller.connections.surplus == surplus)
        gated.open(7)
        ends = [receive_response(sock)[1].get("connection") for sock in socks]
        assert ends.count("close") == surplus
        assert ends.count(None) == 7 - surplus


def test_the_queue_is_told_while_nobody_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    page, clock = pulse_page(monkeypatch), Clock()
    with full_process(page, clock, 5) as (running, gated, socks):
        page.tell(0, FULL, clock())
        pass_time(running, clock, 0.001)
        running.wait(lambda: running.server.listening.looked_ns == clock())
        running.wait(lambda: heard_on(page) == GONE)  # no call has ended that it could tell by
        gated.open(3)  # two were the leader's calls when they began
        gated.wait_arrivals(3)
        running.wait(lambda: heard_on(page) == FULL + 5)
        pass_time(running, clock, 0.041)
        running.wait(lambda: heard_on(page) == FULL + 2)
        gated.open(4)
        for sock in socks:
            assert receive_response(sock)[0] == 200
        running.wait(lambda: heard_on(page) == 7)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_listener_that_somebody_shut_is_let_go(tmp_path: Path, family: socket.AddressFamily) -> None:
    """epoll would report it for ever; accept(2) says so of a TCP socket, of a UNIX socket poll(2) alone does."""
    with socket.socket(family) as sock, contextlib.closing(select.epoll()) as epoll:
        sock.bind(str(tmp_path / "a.sock") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        lost: list[bool] = []
        logged: list[str] = []
        listening = Listening(
            [Listener(sock, {})], epoll, Clock(), lambda _level, text: logged.append(text), has_siblings=False
        )
        listening.on_all_shut = lambda: lost.append(True)
        listening.adjust(False)
        assert listening.accept(sock.fileno(), Trust(()), 4) == []
        assert not lost
        sock.shutdown(socket.SHUT_RDWR)
        assert listening.accept(sock.fileno(), Trust(()), 4) == []
        assert lost == [True]
        assert logged == ["a listener was shut down: it takes no connections any more"]
        assert listening.descriptors == []
        assert epoll.poll(0) == []
