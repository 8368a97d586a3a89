"""Slow requests: what is known of them, how many are called at once, and who passes them meanwhile."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.serving import Clock, Running, receive_all, receive_response, serving
from unit.serving.test_crew import GET, Gated, pass_time, queue_up, waiting
from unit.serving.test_single import Single

from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.protocol.names import UNTRUSTED
from wsgigroups.runtime.serving import crew, line, poller
from wsgigroups.runtime.serving import queue as queue_module
from wsgigroups.runtime.serving.connection import CLOSED, Connection
from wsgigroups.runtime.serving.lanes import HOLD_NS, Lanes
from wsgigroups.runtime.serving.pace import Pace
from wsgigroups.runtime.serving.queue import Queue
from wsgigroups.runtime.wire import pulse
from wsgigroups.runtime.wire.pulse import FULL, NO_LANE, Pulse

MS = 1_000_000


def head(target: str = "/wait", method: str = "GET") -> Head:
    return Head(method, target, {}, True)


def taught(threads: int = 4, target: str = "/wait") -> Lanes:
    """Return lanes that know one request to be slow, and have seen brief ones."""
    lanes = Lanes(threads)
    lanes.learn(head(target), 100 * MS, 0)
    assert lanes.slow(head(target))
    for _ in range(10):
        assert not lanes.slow(head("/brief"))
    return lanes


# What is known


@pytest.mark.parametrize(
    ("waits_ms", "slow"),
    [
        ([], False),
        ([19, 19, 19], False),
        ([39], False),
        ([40], True),
        ([25], False),  # once may be chance
        ([25, 25, 25], True),
        ([100, 0, 0], False),  # 25, then 12.5
        ([100, 0], True),
        ([100, -5, -5, -5], False),  # computed by several threads at once
        ([100, -200, 39], True),
        ([100] * 5 + [0] * 2, True),
        ([100] * 5 + [0] * 3, False),
    ],
)
def test_what_is_slow(waits_ms: list[int], slow: bool) -> None:
    lanes = Lanes(4)
    for wait_ms in waits_ms:
        lanes.learn(head(), wait_ms * MS, 0)
    assert lanes.slow(head()) is slow


def test_brief_calls_are_not_kept_and_what_has_become_brief_is_forgotten() -> None:
    lanes = Lanes(4)
    lanes.learn(head("/brief"), 19 * MS, 0)
    assert not lanes.known
    lanes.learn(head(), 100 * MS, 0)
    lanes.learn(head("/brief"), 19 * MS, 0)
    assert list(lanes.known) == ["GET/wait"]
    for _ in range(4):  # 25, 12.5, 6.25, 3.1
        assert lanes.known
        lanes.learn(head(), 0, 0)
    assert not lanes.known


@pytest.mark.parametrize(
    ("target", "method", "same"),
    [
        ("/order/17/items", "GET", True),
        ("/order/4711/items?page=3", "GET", True),
        ("/order/3f2a-9c/items", "GET", True),
        ("/order/17/items/", "GET", False),
        ("/order/17/items", "POST", False),
        ("/order/17", "GET", False),
        ("/order/abc/items", "GET", False),
        ("/orders/17/items", "GET", False),
    ],
)
def test_what_is_the_same_request(target: str, method: str, same: bool) -> None:
    lanes = taught(target="/order/1/items?page=1")
    assert lanes.slow(head(target, method)) is same


def test_what_is_known_is_bounded_and_forgotten_in_time() -> None:
    lanes = Lanes(4)
    for number in range(1000):
        lanes.learn(head("/" + chr(ord("a") + number % 26) * (number // 26 + 1)), 100 * MS, number)
        assert 0 < len(lanes.known) <= 256
    lanes.learn(head("/" + "a" * 8000), 100 * MS, 0)
    assert max(map(len, lanes.known)) <= len("GET") + 256
    lanes = taught()
    lanes.learn(head("/late"), 100 * MS, 1)
    lanes.forget(60 * 10**9)
    assert list(lanes.known) == ["GET/wait", "GET/late"]
    lanes.forget(60 * 10**9 + 1)
    assert list(lanes.known) == ["GET/late"]


# How many may be called at once


@pytest.mark.parametrize(
    ("threads", "calls", "room"),
    [(1, 5, True), (2, 5, True), (3, 5, True), (4, 2, True), (4, 3, False), (15, 13, True), (15, 14, False)],
)
def test_one_thread_of_four_or_more_is_kept_free(threads: int, calls: int, room: bool) -> None:
    lanes = taught(threads)
    lanes.slow_calls = calls
    assert lanes.room() is room


def test_no_thread_is_kept_free_for_brief_requests_that_are_the_fewer() -> None:
    lanes = taught()
    lanes.slow_calls = 3
    for _ in range(9):
        lanes.slow(head())
        assert not lanes.room()  # of ten brief ones
    lanes.slow(head())
    assert lanes.room()
    lanes.slow(head())
    lanes.slow(head("/brief"))
    assert not lanes.room()
    for _ in range(1000):
        lanes.slow(head("/brief"))
    for _ in range(64):  # long ago does not count
        assert not lanes.room()
        lanes.slow(head())
    assert lanes.room()


# The queue


@contextlib.contextmanager
def connections(count: int) -> Iterator[list[Connection]]:
    """Return connections of which nothing but their states is used."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        yield [Connection(sock, {}, UNTRUSTED, "peer", False) for sock in socks]


def test_others_pass_what_is_held_and_it_comes_first_when_there_is_a_lane() -> None:
    queue = Queue(10, 0, 0)
    with connections(4) as (first, second, third, fourth):
        for connection in (first, second, third):
            queue.offer(connection, 1)
        taken = queue.take(True)
        assert taken is first
        queue.hold(first)
        assert (len(queue), queue.runnable) == (3, 2)
        assert queue.take(False) is second
        queue.hold(second)
        queue.offer(fourth, 2)
        assert queue.take(True) is first
        assert queue.take(False) is third
        second.state = CLOSED  # its client has gone
        assert queue.take(True) is fourth
        assert queue.take(True) is None
        assert len(queue) == 0


def test_what_is_held_has_a_place() -> None:
    queue = Queue(2, 0, 5)
    with connections(4) as (first, second, third, fourth):
        queue.offer(first, 1)
        queue.take(True)
        queue.hold(first)
        queue.offer(second, 1)
        queue.offer(third, 1)
        queue.offer(fourth, 1)
        assert queue.take(False) is second  # third has its place now
        queue.hold(second)  # and this one keeps its own
        assert queue.take(False) is third  # gives up its place, but that was one too many
        assert queue.take(False) is None
        assert queue.expire(6) == [(fourth, 503)]


@pytest.mark.parametrize("timeout_ns", [0, HOLD_NS // 2, HOLD_NS * 2])
def test_nobody_is_held_for_longer_than_that_or_than_queue_timeout(timeout_ns: int) -> None:
    queue = Queue(10, timeout_ns, 0)
    with connections(2) as (first, second):
        for connection, at_ns in ((first, 1000), (second, 2000)):
            connection.arrived_ns = at_ns
            queue.offer(connection, at_ns)
            assert queue.take(False) is connection
            queue.hold(connection)
        queue.used = False
        until_ns = min(timeout_ns or HOLD_NS, HOLD_NS)
        assert queue.next_expiry_ns == 1000 + until_ns
        assert queue.expire(999 + until_ns) == []
        assert not queue.used
        assert queue.next_expiry_ns == 1000 + until_ns
        expired = queue.expire(1000 + until_ns)
        assert queue.next_expiry_ns in {2000 + until_ns, 1000 + timeout_ns}
        if until_ns == timeout_ns:
            assert expired == [(first, 504)]
            assert queue.take(False) is None
        else:
            assert expired == []
            assert queue.used
            assert queue.take(False) is first
            assert queue.take(False) is None


@given(st.lists(st.tuples(st.sampled_from("otThe"), st.integers(0, HOLD_NS // 2)), max_size=60), st.integers(1, 5))
def test_nobody_is_lost_or_comes_twice(steps: list[tuple[str, int]], places: int) -> None:
    """o: a request comes; t, T: one is taken, without and with a lane; h: taken and held; e: time has passed."""
    queue, now_ns = Queue(places, 0, HOLD_NS // 3), 1
    with connections(60) as fresh:
        came: list[Connection] = []
        left: list[Connection] = []
        for step, passed_ns in steps:
            now_ns += passed_ns
            if step == "o":
                came.append(fresh.pop())
                queue.offer(came[-1], now_ns)
            elif step == "e":
                left += [connection for connection, _status in queue.expire(now_ns)]
            elif (connection := queue.take(step == "T")) is not None:
                if step == "h" and now_ns - connection.offered_ns < HOLD_NS:
                    queue.hold(connection)
                else:
                    left.append(connection)
            assert len(queue) == len(came) - len(left)
        left += [connection for connection, _status in queue.expire(now_ns + 2 * HOLD_NS)]
        while (connection := queue.take(False)) is not None:
            left.append(connection)
        assert sorted(map(id, left)) == sorted(map(id, came))


# The crew


def teach(running: Running) -> None:
    """Have the server know that /wait is slow, and that most requests are not."""
    lanes = running.server._crew._lanes
    lanes.learn(head(), 100 * MS, running.server._clock())
    for _ in range(10):
        assert not lanes.slow(head("/brief"))


@contextlib.contextmanager
def full_lanes(gated: Gated, application: Any = None, **settings: Any) -> Iterator[tuple[Running, list[socket.socket]]]:
    """Serve with four threads, three of which are in slow calls."""
    with serving(application or gated, threads=4, **settings) as running:
        teach(running)
        with waiting(running, gated, 3) as socks:
            running.wait_word("requests_active", 3)
            yield running, socks
        running.wait_word("requests_active", 0)
        assert running.server._crew._lanes.slow_calls == 0
        assert not running.server._listening.reserved
        assert not [text for level, text in running.logged if level == "error"]


def hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (line, queue_module):
        monkeypatch.setattr(module, "HOLD_NS", 3600 * 10**9)


def test_brief_requests_pass_slow_ones_that_have_no_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_for_ever(monkeypatch)
    gated = Gated()
    with full_lanes(gated) as (running, first), contextlib.ExitStack() as stack:
        held = queue_up(running, stack, [b"/wait"] * 3)
        with running.connect() as sock:
            for _ in range(50):
                sock.sendall(GET % b"/brief")
                assert receive_response(sock)[0] == 200
        assert running.word("requests_queued") == 3
        assert running.word("requests_active") == 3
        assert running.server._poller._timeout_s() != 0  # nobody looks again and again
        gated.open(1)
        gated.wait_arrivals(1)  # the first of those held, on the thread that has become free
        running.wait_word("requests_queued", 2)
        gated.open(5)
        for sock in [*first, *held]:
            assert receive_response(sock)[0] == 200
            sock.sendall(GET % b"/brief")  # what it is now does not depend on what it was
            assert receive_response(sock)[0] == 200
        assert gated.most <= 4


def test_slow_requests_take_every_thread_where_they_are_the_most() -> None:
    gated = Gated()
    with full_lanes(gated) as (running, first):
        running.server._crew._lanes._others = 0
        with waiting(running, gated, 1) as fourth:
            gated.open(4)
            for sock in [*first, *fourth]:
                assert receive_response(sock)[0] == 200


def test_what_is_held_fills_the_queue_and_nobody_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_for_ever(monkeypatch)
    clock, gated = Clock(), Gated()
    settings = {"listen_backlog": 2, "connect_timeout_s": 5.0, "clock": clock}
    with full_lanes(gated, **settings) as (running, first), contextlib.ExitStack() as stack:
        held = queue_up(running, stack, [b"/wait"] * 4)  # two of them outside
        assert receive_response(ask(running, stack, b"/brief"))[0] == 200
        running.wait(lambda: not running.server._queue.used)
        assert running.server._poller._timeout_s() != 0
        pass_time(running, clock, 5.1)
        for sock in held[2:]:
            assert receive_all(sock).startswith(b"HTTP/1.1 503 ")
        gated.open(5)
        for sock in [*first, *held[:2]]:
            assert receive_response(sock)[0] == 200


def test_who_gets_a_place_when_another_gets_a_lane_is_called_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_for_ever(monkeypatch)
    monkeypatch.setattr(poller, "LONGEST_WAIT_S", 3600.0)  # else the leader would look by itself
    gated, other = Gated(), Gated()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/other":
            return other({"PATH_INFO": "/wait"}, start_response)
        return gated(environ, start_response)

    with (
        full_lanes(gated, application, listen_backlog=1, keep_alive_timeout_s=3600.0) as (running, first),
        contextlib.ExitStack() as stack,
    ):
        (held,) = queue_up(running, stack, [b"/wait"])
        last = ask(running, stack, b"/other")  # not slow as far as is known
        other.wait_arrivals(1)
        running.wait_word("requests_active", 4)
        (outside,) = queue_up(running, stack, [b"/brief"])
        other.open(1)
        assert receive_response(last)[0] == 200
        running.wait_word("requests_active", 3)
        gated.open(1)
        gated.wait_arrivals(1)  # the one that was held, on a thread that does not come back before it is answered
        assert receive_response(outside)[0] == 200
        gated.open(3)
        for sock in [*first, held]:
            assert receive_response(sock)[0] == 200


def test_after_a_second_they_take_the_last_thread() -> None:
    gated, clock = Gated(), Clock()
    with full_lanes(gated, clock=clock) as (running, first), contextlib.ExitStack() as stack:
        running.server._crew._lanes._others = 10**9
        held = queue_up(running, stack, [b"/wait"])
        pass_time(running, clock, 0.99)
        assert receive_response(ask(running, stack, b"/brief"))[0] == 200
        assert running.word("requests_queued") == 1
        pass_time(running, clock, 0.02)
        gated.wait_arrivals(1)
        gated.open(4)
        for sock in [*first, *held]:
            assert receive_response(sock)[0] == 200


def ask(running: Running, stack: contextlib.ExitStack, path: bytes) -> socket.socket:
    sock = stack.enter_context(running.connect())
    sock.sendall(GET % path)
    return sock


def test_queue_timeout_holds_for_what_is_held() -> None:
    gated, clock = Gated(), Clock()
    with full_lanes(gated, clock=clock, queue_timeout_s=0.5) as (running, first), contextlib.ExitStack() as stack:
        (held,) = queue_up(running, stack, [b"/wait"])
        pass_time(running, clock, 0.51)
        assert receive_all(held).startswith(b"HTTP/1.1 504 ")
        assert running.word("queue_timeouts") == 1
        gated.open(3)
        for sock in first:
            assert receive_response(sock)[0] == 200
        assert gated.most == 3


def test_who_leaves_while_held_is_not_called_for() -> None:
    gated = Gated()
    with full_lanes(gated) as (running, first), contextlib.ExitStack() as stack:
        leaver, stayer = queue_up(running, stack, [b"/wait"] * 2)
        leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaver.close()  # a reset
        running.wait(lambda: any(item.signalled for item in running.server._poller.connections.copy().values()))
        gated.open(4)
        for sock in [*first, stayer]:
            assert receive_response(sock)[0] == 200
        running.wait_word("aborted", 1)
        running.wait_word("requests_total", 4)


def test_a_slow_request_right_behind_another_one_waits_for_a_lane_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by the thread that has answered the one before it, which has not been a slow one."""
    hold_for_ever(monkeypatch)
    gated, other = Gated(), Gated()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/other":
            return other({"PATH_INFO": "/wait"}, start_response)
        return gated(environ, start_response)

    with full_lanes(gated, application) as (running, first), running.connect() as sock:
        sock.sendall(GET % b"/other" + GET % b"/wait")
        other.wait_arrivals(1)
        running.wait_word("requests_active", 4)  # not slow as far as is known: the last thread is its
        other.open(1)
        running.wait_word("requests_queued", 1)
        running.wait_word("requests_active", 3)
        assert running.exchange(GET % b"/brief").endswith(b"/brief")
        running.wait(lambda: not running.server._queue.used)
        gated.open(4)
        for item in first:
            assert receive_response(item)[0] == 200
        data = b""
        while data.count(b"\r\n\r\n/wait") < 2:
            data += sock.recv(4096)


def test_siblings_hear_that_there_is_no_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "HEARTBEAT_S", 3600.0)  # by which they would hear it, too
    fd = pulse.create("test")
    page = Pulse(fd)
    os.close(fd)
    gated = Gated()

    def heard() -> int:
        return int(page.word[1 + 1]) & FULL  # of slot 1

    with full_lanes(gated, multiprocess=True, pulses=[page]) as (running, socks):
        running.wait(lambda: heard() == NO_LANE)
        assert running.exchange(GET % b"/brief").endswith(b"/brief")  # it accepts, when no sibling is better
        page.tell(0, 0, time.monotonic_ns())
        running.wait(lambda: not running.server._listening.watching)
        page.tell(0, NO_LANE, time.monotonic_ns())
        running.wait(lambda: running.server._listening.watching)
        gated.open(3)
        for sock in socks:
            assert receive_response(sock)[0] == 200
        running.wait(lambda: heard() == 3)


def test_leaders_hand_over_before_slow_calls_and_only_before_those(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_over: list[int] = []
    overran = Pace.overran
    monkeypatch.setattr(Pace, "overran", lambda *arguments: (taken_over.append(1), overran(*arguments)))
    monkeypatch.setattr(Pace, "ended", lambda *_: taken_over.append(1))  # of an eager crew alone
    gated = Gated()
    with serving(gated, threads=4) as running:
        teach(running)
        before = len(taken_over)
        for _ in range(20):
            with waiting(running, gated, 1) as socks:
                running.wait_word("requests_active", 1)  # before it is known that the call takes long
                gated.open(1)
                assert receive_response(socks[0])[0] == 200
                running.wait_word("requests_active", 0)
            teach(running)  # whatever this machine made of it
        assert len(taken_over) == before


def test_what_waits_is_learned_from_calls_that_somebody_else_leads_beside() -> None:
    gated, clock = Gated(), Clock()
    with serving(gated, threads=4, clock=clock) as running:
        crew_ = running.server._crew
        for known in (0, 1):  # the first call is found out by the clock of the monitor
            assert len(crew_._lanes.known) == 0
            with waiting(running, gated, 1) as socks:
                running.wait_word("requests_active", 1)
                clock.advance(10.0)
                gated.open(1)
                assert receive_response(socks[0])[0] == 200
                running.wait_word("requests_active", 0)
            assert len(crew_._lanes.known) == known
        assert crew_._lanes.slow(head())
        crew_._pace.eager = False  # as after many brief calls
        for _ in range(12):  # 5 s, 2.5 s …: brief now, and known to be after a while
            gated.open(1)
            assert running.exchange(GET % b"/wait").endswith(b"/wait")
        assert not crew_._lanes.known


def test_what_has_not_come_for_a_while_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "HEARTBEAT_S", 0.01)
    clock = Clock()
    with serving(Gated(), threads=4, clock=clock) as running:
        teach(running)
        clock.advance(61.0)
        running.wait(lambda: not running.server._crew._lanes.known)


def test_what_is_held_is_called_in_single_mode_as_soon_as_there_is_a_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_for_ever(monkeypatch)
    monkeypatch.setattr(poller, "LONGEST_WAIT_S", 3600.0)  # else the leader would look by itself
    monkeypatch.setattr(crew, "Pace", Single)
    gated = Gated()
    with (
        full_lanes(gated, keep_alive_timeout_s=3600.0) as (running, first),
        contextlib.ExitStack() as stack,
    ):
        running.server._queue.used = True  # as when single mode begins
        held = queue_up(running, stack, [b"/wait"])
        assert running.exchange(GET % b"/brief").endswith(b"/brief")
        gated.open(1)
        gated.wait_arrivals(1)
        gated.open(3)
        for sock in [*first, *held]:
            assert receive_response(sock)[0] == 200


def test_calls_that_compute_are_not_slow() -> None:
    """What counts is what is left of a call's time without that for which the process computed."""
    clock = Clock()

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        until_s = time.process_time() + 0.05
        while time.process_time() < until_s:
            pass
        clock.advance(0.05)
        start_response("200 OK", [])
        return [b"x"]

    with serving(application, threads=4, clock=clock) as running:
        running.server._crew._pace.eager = True
        for _ in range(3):
            assert running.exchange(GET % b"/compute").endswith(b"x")
        assert not running.server._crew._lanes.known
