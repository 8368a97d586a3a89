"""Errors that are nobody's fault but ours, or no memory: they cost one request, or the process, never the silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.driven import Driven
from support.serving import Running, receive_all, serving

from wsgigroups.runtime.front.connection import CLOSED

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def fails_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a MemoryError instead of its first call."""
    left = [1]

    def call(*arguments: Any) -> Any:
        if left:
            left.pop()
            raise MemoryError("no memory for the test")
        return function(*arguments)

    return call


def errors(running: Running) -> list[str]:
    return [text for level, text in running.logged if level == "error"]


@pytest.mark.parametrize("eager", [False, True])
def test_an_error_while_answering_costs_that_request(monkeypatch: pytest.MonkeyPatch, eager: bool) -> None:
    with serving(hello, threads=2) as running:
        caller = running.server.caller
        running.server.crew.pace.eager = eager
        monkeypatch.setattr(caller, "answer", fails_once(caller.answer))
        assert running.exchange(GET % b"/lost") == b"<reset>"
        for _ in range(5):
            assert running.exchange(GET % b"/x").endswith(b"/x")
        running.wait_word("requests_active", 0)
        running.wait_word("aborted", 1)
        assert len(errors(running)) == 1
        assert "MemoryError: no memory for the test" in errors(running)[0]


def test_an_error_behind_an_answer_that_was_to_leave_with_others_ends_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is left to be sent: the number of the descriptor may be another connection's by then."""

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        driven.crew.closing = True  # ends the lead
        monkeypatch.setattr(driven.caller, "_clock", fails_once(driven.caller._clock))
        start_response("200 OK", [("Content-Length", "5")])
        return [b"12345"]

    driven = Driven(application)
    driven.crew.pace.brief = True
    with driven.connect() as sock:
        (connection,) = driven.connections
        sock.sendall(GET % b"/lost")
        while not driven.poller.ready:
            driven.poller.wait()
        driven.lead()
        assert connection.answer == b""
        assert connection.state == CLOSED
        assert not driven.posted
        assert "MemoryError: no memory for the test" in driven.logged[0][1]
    driven.close()


def test_an_error_while_receiving_costs_that_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(hello) as running:
        intake = running.server.poller.receiving.intake
        monkeypatch.setattr(intake, "advance", fails_once(intake.advance))
        assert running.exchange(GET % b"/lost") == b"<reset>"
        assert running.exchange(GET % b"/x").endswith(b"/x")
        assert len(errors(running)) == 1


def test_an_error_while_the_monitor_leads_costs_that_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived, gate = threading.Event(), threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        arrived.set()
        assert gate.wait(20)
        return hello(environ, start_response)

    with serving(application, threads=1) as running, running.connect() as blocked:
        blocked.sendall(GET % b"/wait")
        assert arrived.wait(20)
        running.wait(lambda: running.server.crew.monitor.leads)
        intake = running.server.poller.receiving.intake
        monkeypatch.setattr(intake, "advance", fails_once(intake.advance))
        assert running.exchange(GET % b"/lost") == b"<reset>"
        gate.set()
        assert running.exchange(GET % b"/x").endswith(b"/x")


@pytest.mark.parametrize("monitor", [False, True])
def test_a_broken_poll_ends_the_process(monkeypatch: pytest.MonkeyPatch, monitor: bool) -> None:
    ended = threading.Event()
    with serving(hello) as running:
        running.server.on_failure = ended.set
        if monitor:
            crew = running.server.crew
            monkeypatch.setattr(crew, "take_over", fails_once(crew.take_over))
        else:
            poller = running.server.poller
            monkeypatch.setattr(poller, "wait", fails_once(poller.wait))
            with running.connect() as sock:
                sock.sendall(GET % b"/x")
        assert ended.wait(20)
        assert "the request path has failed\nTraceback" in errors(running)[0]


def test_full_places_go_to_those_who_wait() -> None:
    with serving(hello) as running:
        running.server.poller.arrivals.most_connections = 4
        silent = [running.connect() for _ in range(4)]
        running.wait(lambda: len(running.connections) == 4)
        for _ in range(3):
            assert running.exchange(GET % b"/x").endswith(b"/x")
        assert receive_all(silent[0]) == b""  # the one that was silent for longest
        for sock in silent:
            sock.close()
