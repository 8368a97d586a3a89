"""What is known of slow requests, and the queue that holds them: pure."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.calls.lanes import HOLD_NS, Lanes
from wsgigroups.runtime.calls.queue import Queue
from wsgigroups.runtime.front.connection import CLOSED, Connection
from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.protocol.names import UNTRUSTED

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


def test_who_gets_the_place_of_one_that_was_held_is_looked_for() -> None:
    queue = Queue(1, 100, 0)
    with connections(2) as (first, second):
        first.arrived_ns, second.arrived_ns = 1, 50
        queue.offer(first, 1, held=True)
        queue.offer(second, 50)
        assert (queue.used, queue.runnable) == (False, 0)  # there is nothing to do yet
        assert queue.expire(101) == [(first, 504)]
        assert (queue.used, queue.runnable) == (True, 1)
        assert queue.take(False) is second


@given(
    st.lists(st.tuples(st.sampled_from("otThe"), st.integers(0, HOLD_NS // 2)), max_size=60),
    st.integers(1, 5),
    st.sampled_from([0, HOLD_NS // 2]),
)
def test_nobody_is_lost_or_comes_twice(steps: list[tuple[str, int]], places: int, timeout_ns: int) -> None:
    """o: a request comes; t, T: one is taken, without and with a lane; h: taken and held; e: time has passed."""
    queue, now_ns = Queue(places, timeout_ns, HOLD_NS // 3), 1
    with connections(60) as fresh:
        came: list[Connection] = []
        left: list[Connection] = []
        for step, passed_ns in steps:
            now_ns += passed_ns
            if step == "o":
                came.append(fresh.pop())
                came[-1].arrived_ns = now_ns
                queue.offer(came[-1], now_ns)
            elif step == "e":
                left += [connection for connection, _status in queue.expire(now_ns)]
            elif (connection := queue.take(step == "T")) is not None:
                if step == "h" and now_ns - connection.offered_ns < HOLD_NS:
                    queue.hold(connection)
                else:
                    left.append(connection)
                queue.used = queue.runnable > 0  # as the leader leaves it
            assert len(queue) == len(came) - len(left)
            assert queue.used or not queue.runnable, "nobody would look there"
        left += [connection for connection, _status in queue.expire(now_ns + 2 * HOLD_NS)]
        while (connection := queue.take(False)) is not None:
            left.append(connection)
        assert sorted(map(id, left)) == sorted(map(id, came))
