"""Threads: hand-over from a call that blocks, the queue and its limits, siblings, draining.

Applications wait at gates that the test holds, so what is in flight is a fact.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import pytest
from support.gated import GET, Gated, pass_time, queue_up, waiting
from support.serving import Clock, receive_all, receive_response, serving

from wsgigroups.runtime.calls.pace import Pace


def test_a_blocked_call_blocks_nobody_else() -> None:
    gated = Gated()
    with serving(gated, threads=4) as running, waiting(running, gated, 3) as socks:
        for _ in range(50):
            assert running.exchange(GET % b"/quick").endswith(b"/quick")
        running.wait_word("requests_active", 3)
        assert sum(1 for word in running.board.words[64:68] if word) == 3
        gated.open(3)
        for sock in socks:
            assert receive_response(sock)[0] == 200
        running.wait_word("requests_active", 0)
    assert not any(level == "error" for level, _text in running.logged)


def test_a_call_may_end_in_the_instant_in_which_its_lead_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread counts itself out of those that are detached: it has to be in before."""
    gated, failures, overran = Gated(), [], Pace.overran

    def late(pace: Pace) -> None:
        gated.open(1)
        running.wait(lambda: len(running.server.crew.threads.idle) == 1)
        overran(pace)

    with serving(gated, threads=2) as running, running.connect() as sock:
        running.server.on_failure = lambda: failures.append(running.logged[-1])
        monkeypatch.setattr(Pace, "overran", late)
        sock.sendall(GET % b"/wait")
        assert receive_response(sock)[0] == 200
        for _ in range(3):
            assert running.exchange(GET % b"/next").endswith(b"/next")
        running.wait_word("requests_active", 0)
        assert failures == []
        assert running.server.crew.detached == 0


def test_threads_start_on_demand_and_never_exceed_the_limit() -> None:
    gated = Gated()
    with serving(gated, threads=5) as running:
        for _ in range(20):
            running.exchange(GET % b"/quick")
        assert len(gated.threads) <= 2  # a call that the machine made slow may have cost one hand-over
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(running.connect()) for _ in range(20)]
            for sock in socks:
                sock.sendall(GET % b"/wait")
            gated.wait_arrivals(5)
            running.wait_word("requests_queued", 15)
            gated.open(20)
            for sock in socks:
                assert receive_response(sock)[0] == 200
        assert gated.most == 5
        assert len(gated.threads) == 5
        running.wait_word("requests_total", 40)


def test_the_queue_is_first_in_first_out() -> None:
    order: list[str] = []
    gated = Gated()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        order.append(environ["PATH_INFO"])
        return gated(environ, start_response)

    with (
        serving(application, threads=1) as running,
        waiting(running, gated, 1) as first,
        contextlib.ExitStack() as stack,
    ):
        socks = queue_up(running, stack, [b"/%d" % number for number in range(10)])
        assert running.server.crew.waiting.used  # whoever leads next looks there first
        gated.open(1)
        for sock in [*first, *socks]:
            assert receive_response(sock)[0] == 200
    assert order == ["/wait", *(f"/{number}" for number in range(10))]


def test_queue_timeout_answers_504_while_every_thread_is_stuck() -> None:
    gated, clock = Gated(), Clock()
    with serving(gated, threads=2, clock=clock, queue_timeout_s=5.0) as running, waiting(running, gated, 2) as stuck:
        with running.connect() as late:
            late.sendall(GET % b"/late")
            running.wait_word("requests_queued", 1)
            pass_time(running, clock, 4.9)
            assert running.word("queue_timeouts") == 0
            pass_time(running, clock, 0.2)
            assert receive_all(late).startswith(b"HTTP/1.1 504 ")
        assert running.word("queue_timeouts") == 1
        assert running.word("requests_queued") == 0
        gated.open(2)
        for sock in stuck:
            assert receive_response(sock)[0] == 200


def test_a_full_queue_answers_503_after_connect_timeout() -> None:
    gated, clock = Gated(), Clock()
    settings = {"threads": 1, "listen_backlog": 2, "connect_timeout_s": 3.0}
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving(gated, clock=clock, **settings))
        stuck = stack.enter_context(waiting(running, gated, 1))
        socks = []
        for number in range(5):
            sock = stack.enter_context(running.connect())
            sock.sendall(GET % b"/queued")
            socks.append(sock)
            running.wait_word("requests_queued", number + 1)
        pass_time(running, clock, 3.1)
        for sock in socks[2:]:
            assert receive_all(sock).startswith(b"HTTP/1.1 503 ")
        assert running.word("refused") == 3
        gated.open(1)
        for sock in [*stuck, *socks[:2]]:
            assert receive_response(sock)[0] == 200


def test_a_request_whose_client_has_gone_is_not_run() -> None:
    gated = Gated()
    paths: list[str] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        return gated(environ, start_response)

    with serving(application, threads=1) as running, waiting(running, gated, 1), running.connect() as stays:
        leaves = running.connect()
        leaves.sendall(GET % b"/leaves")
        running.wait_word("requests_queued", 1)
        stays.sendall(GET % b"/stays")
        running.wait_word("requests_queued", 2)
        leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        leaves.close()
        with running.connect() as later:  # the poller has seen the reset when it has seen this
            later.sendall(GET % b"/later")
            running.wait_word("requests_queued", 3)
            gated.open(1)
            assert receive_response(stays)[0] == 200
    assert "/leaves" not in paths


def test_timeouts_can_be_tuned_while_requests_wait() -> None:
    gated = Gated()
    with serving(gated, threads=1) as running, waiting(running, gated, 1), running.connect() as late:
        late.sendall(GET % b"/late")
        running.wait_word("requests_queued", 1)
        running.server.tune({"queue_timeout_s": 0.01, "unknown": 1})
        assert receive_all(late).startswith(b"HTTP/1.1 504 ")
        gated.open(1)


def test_a_gateway_that_waited_too_long_gets_504_at_once() -> None:
    import time

    gated = Gated()
    with serving(gated, queue_timeout_s=5.0, trusted_proxies=["127.0.0.0/8"]) as running:
        late = b"GET /late HTTP/1.1\r\nHost: a\r\nX-Request-Start: t=%d\r\n\r\n" % int((time.time() - 60) * 1000)
        fresh = b"GET /fresh HTTP/1.1\r\nHost: a\r\nX-Request-Start: t=%.3f\r\n\r\n" % time.time()
        assert running.exchange(late).startswith(b"HTTP/1.1 504 ")
        assert running.exchange(fresh).startswith(b"HTTP/1.1 200 ")
    with serving(gated, queue_timeout_s=5.0) as running:
        assert running.exchange(late).startswith(b"HTTP/1.1 200 ")


def test_keep_alive_under_hand_over() -> None:
    """Slow and quick requests alternate on the same connections: modes change back and forth, no answer is lost."""
    gated = Gated()
    gated.open(10_000)
    pause = threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"].endswith("7"):
            pause.wait(0.012)
        return gated(environ, start_response)

    with serving(application, threads=4) as running:
        wrong: list[bytes] = []

        def client() -> None:
            with running.connect() as sock:
                for number in range(400):
                    sock.sendall(GET % (b"/%d" % number))
                    if receive_response(sock)[2] != b"/%d" % number:
                        wrong.append(b"%d" % number)

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert wrong == []
        running.wait_word("requests_total", 3200)
        running.wait_word("requests_active", 0)
        assert gated.most <= 4


@pytest.mark.parametrize("threads", [1, 3])
def test_draining(threads: int) -> None:
    gated = Gated()
    with serving(gated, threads=threads) as running, waiting(running, gated, 1) as socks:
        with running.connect() as kept:
            if threads > 1:
                kept.sendall(GET % b"/before")
                assert "connection" not in receive_response(kept)[1]
                running.server.stop_accepting()
                kept.sendall(GET % b"/after")
                status, fields, body = receive_response(kept)
                assert (status, fields["connection"], body) == (200, "close", b"/after")
                assert receive_all(kept) == b""
            else:
                running.server.stop_accepting()
            assert not running.server.is_idle()
            gated.open(1)
            status, fields, _body = receive_response(socks[0])
            assert (status, fields["connection"]) == (200, "close")
        for sock in socks:
            sock.close()
        assert running.server.wait_idle(20)
        with contextlib.closing(socket.socket(running.family)) as late:
            late.settimeout(0.2)
            late.connect(running.address)  # the kernel keeps it for a sibling
            late.sendall(GET % b"/late")
            with pytest.raises(TimeoutError):
                late.recv(1)


def test_a_connection_that_comes_while_draining_begins_is_answered() -> None:
    with contextlib.ExitStack() as stack, serving(Gated()) as running:
        listening = running.server.listening
        unwatch = listening.unwatch
        found: list[tuple[socket.socket, bool]] = []

        def unwatch_late() -> None:
            unwatch()
            if not found:
                found.append((stack.enter_context(running.connect()), running.server.is_idle()))

        listening.unwatch = unwatch_late  # type: ignore[method-assign]
        running.server.stop_accepting()
        running.wait(lambda: listening.stopped)
        client, idle = found[0]
        assert not idle  # the main thread would have ended the server
        assert not running.server.is_idle()
        client.sendall(GET % b"/x")
        status, fields, _body = receive_response(client)
        assert (status, fields["connection"]) == (200, "close")
        client.close()
        assert running.server.wait_idle(20)


def test_draining_closes_idle_connections_in_time() -> None:
    clock = Clock()
    with serving(Gated(), clock=clock, keep_alive_timeout_s=100.0) as running, running.connect() as kept:
        kept.sendall(GET % b"/x")
        receive_response(kept)
        running.server.stop_accepting()
        assert not running.server.wait_idle(0.0)
        running.wait(lambda: running.server.listening.stopped)
        running.wait_kept()
        pass_time(running, clock, 2.1)
        assert receive_all(kept) == b""
        assert running.server.wait_idle(20)


@pytest.mark.parametrize("threads", [1, 2])
def test_whoever_is_not_done_when_the_time_is_over_ends_in_peace(threads: int) -> None:
    gate = Gated()
    with serving(gate, threads=threads) as running, running.connect() as sock:
        sock.sendall(GET % b"/wait")
        gate.wait_arrivals(1)
        running.server.close(0.0)
        gate.open(1)
        assert receive_response(sock)[2] == b"/wait"
    assert running.logged == []


def test_maximum_requests_calls_back_once() -> None:
    called: list[int] = []
    with serving(Gated(), maximum_requests=5) as running:
        running.server.on_maximum_requests = lambda: called.append(running.word("requests_total"))
        for number in range(8):
            assert running.exchange(GET % b"/x").endswith(b"/x"), number
        running.wait_word("requests_total", 8)
    assert called == [5]


def test_the_heartbeat_goes_on_whatever_the_threads_do() -> None:
    gated = Gated()
    with serving(gated, threads=1) as running:
        for hold in (0, 1):
            with waiting(running, gated, hold):
                before = running.word("heartbeat_ns")
                running.wait(lambda before=before: running.word("heartbeat_ns") > before)
                gated.open(hold)


def test_an_application_that_sets_a_default_timeout_changes_nothing() -> None:
    socket.setdefaulttimeout(5.0)
    try:
        with serving(Gated()) as running, running.connect() as sock:
            for _ in range(3):
                sock.sendall(GET % b"/x")
                assert receive_response(sock)[0] == 200
    finally:
        socket.setdefaulttimeout(None)
