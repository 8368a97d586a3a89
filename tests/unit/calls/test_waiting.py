"""Requests that wait: their order, their places, their time, and those that are held for a lane."""

from __future__ import annotations

import select
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.requests import head, requests
from support.serving import Clock

from wsgigroups.runtime.calls.lanes import HOLD_NS, Lanes
from wsgigroups.runtime.calls.waiting import Waiting
from wsgigroups.runtime.front.connection import CLOSED, QUEUED, RUNNING, Connection
from wsgigroups.runtime.wire.board import WORD
from wsgigroups.runtime.wire.spec import Serving


class Rules(Lanes):
    """Lanes that know /slow, and have room when the test says so."""

    def __init__(self) -> None:
        super().__init__(4)
        self.learn(head("/slow"), 10**9, 0)
        self.free = True

    def slow(self, head: Any) -> bool:
        return bool(head.target == "/slow")

    def room(self) -> bool:
        return self.free


class Places:
    """What waits, of a crew that there is not."""

    def __init__(self, places: int, queue_timeout_s: float = 0.0, connect_timeout_s: float = 0.0) -> None:
        self.clock = Clock()
        self.lanes = Rules()
        self.words = memoryview(bytearray(8 * 64)).cast("Q")
        self.closed: list[Connection] = []
        connections = SimpleNamespace(lock=threading.Lock(), close=self.closed.append, watch=lambda _connection: None)
        poller: Any = SimpleNamespace(connections=connections, listening=SimpleNamespace(reserved=False), ready=[])
        self.waiting = Waiting(poller, self.lanes, self.words, self.clock)
        self.waiting.tune(
            Serving(listen_backlog=places, queue_timeout_s=queue_timeout_s, connect_timeout_s=connect_timeout_s)
        )

    def word(self, name: str) -> int:
        return self.words[WORD[name]]

    def expired(self) -> list[tuple[Connection, int]]:
        return [(connection, status) for connection, status, _reason in self.waiting.expire(self.clock())]


def test_others_pass_what_is_held_and_it_comes_first_when_there_is_a_lane() -> None:
    found = Places(10)
    waiting, lanes = found.waiting, found.lanes
    with requests("/slow", "/slow", "/brief", "/brief") as (first, second, third, fourth):
        for connection in (first, second, third):
            waiting.add(connection)
        assert {connection.state for connection in (first, second, third)} == {QUEUED}
        lanes.free = False
        assert waiting.take() is third
        assert third.state == RUNNING
        assert (len(waiting), waiting.runnable, found.word("requests_queued")) == (2, 0, 2)
        waiting.add(fourth)
        lanes.free = True
        assert waiting.take() is first
        assert (first.slow, lanes.slow_calls) == (True, 1)
        lanes.free = False
        assert waiting.take() is fourth
        assert waiting.take() is None
        second.to(CLOSED)
        lanes.free = True
        assert waiting.take() is None
        assert len(waiting) == found.word("requests_queued") == 0


def test_who_has_left_is_not_called_for() -> None:
    found = Places(10)
    with requests("/brief", "/brief") as (first, second):
        for connection in (first, second):
            found.waiting.add(connection)
        first.signalled = select.EPOLLIN | select.EPOLLHUP
        second.signalled = select.EPOLLIN | select.EPOLLRDHUP  # may wait for the answer still
        assert found.waiting.take() is second
        assert found.closed == [first]
        assert found.word("aborted") == 1


def test_what_is_held_has_a_place() -> None:
    found = Places(2, connect_timeout_s=5)
    waiting = found.waiting
    with requests("/slow", "/slow", "/brief", "/brief") as (first, second, third, fourth):
        found.lanes.free = False
        waiting.add(first, held=True)
        for connection in (second, third, fourth):
            waiting.add(connection)
        assert waiting.take() is third  # had its place for a moment, while second had none
        assert waiting.take() is None  # fourth waits for one: two are held
        found.clock.advance(5)
        assert found.expired()[0] == (fourth, 503)
        assert found.word("refused") == 1


@pytest.mark.parametrize("timeout_ns", [0, HOLD_NS // 2, HOLD_NS * 2])
def test_nobody_is_held_for_longer_than_that_or_than_queue_timeout(timeout_ns: int) -> None:
    found = Places(10, queue_timeout_s=timeout_ns / 1e9)
    waiting, begun_ns = found.waiting, found.clock()
    found.lanes.free = False
    with requests("/slow", "/slow") as (first, second):
        waiting.add(first, held=True)
        found.clock.advance(1e-6)
        waiting.add(second, held=True)
        until_ns = min(timeout_ns or HOLD_NS, HOLD_NS)
        assert waiting.next_expiry_ns == begun_ns + until_ns
        found.clock.now_ns = begun_ns + until_ns - 1
        assert found.expired() == []
        assert not waiting.used
        assert waiting.next_expiry_ns == begun_ns + until_ns
        found.clock.advance(1e-9)
        expired = found.expired()
        if until_ns == timeout_ns:
            assert expired == [(first, 504)]
            assert found.word("queue_timeouts") == 1
            assert waiting.take() is None
        else:
            assert expired == []
            assert waiting.used
            assert waiting.take() is first
            assert waiting.take() is None


def test_who_gets_the_place_of_one_that_was_held_is_looked_for() -> None:
    found = Places(1, queue_timeout_s=0.1)
    found.lanes.free = False
    with requests("/slow", "/brief") as (first, second):
        found.waiting.add(first, held=True)
        found.clock.advance(0.05)
        found.waiting.add(second)
        assert (found.waiting.used, found.waiting.runnable) == (False, 0)  # there is nothing to do yet
        found.clock.advance(0.05)
        assert found.expired() == [(first, 504)]
        assert (found.waiting.used, found.waiting.runnable) == (True, 1)
        assert found.waiting.take() is second


@given(
    st.lists(st.tuples(st.sampled_from("ostTe"), st.integers(0, HOLD_NS // 2)), max_size=60),
    st.integers(1, 5),
    st.sampled_from([0, 1]),
)
def test_nobody_is_lost_or_comes_twice(steps: list[tuple[str, int]], places: int, timeout_s: int) -> None:
    """o, s: a request comes, and a slow one; t, T: one is taken, without and with a lane; e: time has passed."""
    found = Places(places, timeout_s / 2, HOLD_NS / 3e9)
    waiting = found.waiting
    with requests(*["/brief"] * 60) as fresh:
        came: list[Connection] = []
        left: list[Connection] = []
        for step, passed_ns in steps:
            found.clock.now_ns += passed_ns
            if step in "os":
                came.append(fresh.pop())
                came[-1].head = head("/slow" if step == "s" else "/brief")
                waiting.add(came[-1])
            elif step == "e":
                left += [connection for connection, _status in found.expired()]
            else:
                found.lanes.free = step == "T"
                connection = waiting.next()
                left += [connection] if connection is not None else []
            assert len(waiting) == len(came) - len(left)
            assert waiting.used or not waiting.runnable, "nobody would look there"
        found.clock.now_ns += 2 * HOLD_NS
        left += [connection for connection, _status in found.expired()]
        found.lanes.free = True
        while (connection := waiting.take()) is not None:
            left.append(connection)
        assert sorted(map(id, left)) == sorted(map(id, came))
