"""What is known of slow requests: pure."""

from __future__ import annotations

import pytest

from wsgigroups.runtime.calls.lanes import Lanes
from wsgigroups.runtime.protocol.heads import Head

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
