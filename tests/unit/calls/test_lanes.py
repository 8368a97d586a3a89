"""Slow requests: what is known of them, how many are called at once, and who passes them meanwhile."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.gated import GET, Gated, pass_time, queue_up, waiting
from support.pulses import heard_on, pulse_page
from support.requests import MS, head
from support.serving import Clock, Running, receive_all, receive_response, serving

from wsgigroups.runtime.calls import monitor
from wsgigroups.runtime.calls import waiting as waits
from wsgigroups.runtime.calls.pace import Pace
from wsgigroups.runtime.front import poller
from wsgigroups.runtime.wire.pulse import NO_LANE


def teach(running: Running) -> None:
    """Have the server know that /wait is slow, and that most requests are not."""
    lanes = running.server.crew.lanes
    lanes.learn(head(), 100 * MS, running.server.crew.clock())
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
        assert running.server.crew.lanes.slow_calls == 0
        assert not running.server.listening.reserved
        assert not [text for level, text in running.logged if level == "error"]


def hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "HOLD_NS", 3600 * 10**9)


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
        running.wait_word("requests_active", 3)  # the last brief one is counted for a moment after its answer
        assert running.server.poller.timeout_s() != 0  # nobody looks again and again
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
        running.server.crew.lanes.others = 0
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
        running.wait(lambda: not running.server.crew.waiting.used)
        assert running.server.poller.timeout_s() != 0
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
        running.server.crew.lanes.others = 10**9
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
        running.wait(lambda: any(item.signalled for item in running.connections))
        gated.open(4)
        for sock in [*first, stayer]:
            assert receive_response(sock)[0] == 200
        running.wait_word("aborted", 1)
        running.wait_word("requests_total", 4)


def receive_two(sock: socket.socket) -> None:
    """Read two answers that came from /wait, or from what passed for it."""
    data = b""
    while data.count(b"\r\n\r\n/wait") < 2:
        data += sock.recv(4096)


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
        running.wait(lambda: not running.server.crew.waiting.used)
        gated.open(4)
        for item in first:
            assert receive_response(item)[0] == 200
        receive_two(sock)


def test_siblings_hear_that_there_is_no_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    page, gated = pulse_page(monkeypatch), Gated()
    with full_lanes(gated, multiprocess=True, pulses=[page]) as (running, socks):
        running.wait(lambda: heard_on(page) == NO_LANE)
        assert running.exchange(GET % b"/brief").endswith(b"/brief")  # it accepts, when no sibling is better
        page.tell(0, 0, time.monotonic_ns())
        running.wait(lambda: not running.server.listening.watching)
        page.tell(0, NO_LANE, time.monotonic_ns())
        running.wait(lambda: running.server.listening.watching)
        gated.open(3)
        for sock in socks:
            assert receive_response(sock)[0] == 200
        running.wait(lambda: heard_on(page) == 3)


def test_leaders_hand_over_before_slow_calls_and_only_before_those(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_over: list[int] = []
    overran = Pace.overran
    monkeypatch.setattr(Pace, "overran", lambda *arguments: (taken_over.append(1), overran(*arguments)))
    monkeypatch.setattr(Pace, "followed", lambda *_: taken_over.append(1))  # of an eager crew alone
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
        crew_ = running.server.crew
        for known in (0, 1):  # the first call is found out by the clock of the monitor
            assert len(crew_.lanes.known) == 0
            with waiting(running, gated, 1) as socks:
                running.wait_word("requests_active", 1)
                clock.advance(10.0)
                gated.open(1)
                assert receive_response(socks[0])[0] == 200
                running.wait_word("requests_active", 0)
            assert len(crew_.lanes.known) == known
        assert crew_.lanes.slow(head())
        crew_.pace.eager = False  # as after many brief calls
        for _ in range(12):  # 5 s, 2.5 s …: brief now, and known to be after a while
            gated.open(1)
            assert running.exchange(GET % b"/wait").endswith(b"/wait")
        assert not crew_.lanes.known


def test_what_has_not_come_for_a_while_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "HEARTBEAT_S", 0.01)
    clock = Clock()
    with serving(Gated(), threads=4, clock=clock) as running:
        teach(running)
        clock.advance(61.0)
        running.wait(lambda: not running.server.crew.lanes.known)


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
        running.server.crew.pace.eager = True
        for _ in range(3):
            assert running.exchange(GET % b"/compute").endswith(b"x")
        assert not running.server.crew.lanes.known
