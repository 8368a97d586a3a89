"""Single mode: requests in line, called one by one by the leader, with their limits and their order."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.clients import Clients
from support.serving import Running, receive_all, receive_response, serving
from unit.calls.test_crew import GET, Gated, queue_up, waiting

from wsgigroups.runtime.calls import crew
from wsgigroups.runtime.calls.pace import Pace
from wsgigroups.runtime.front import keeping, poller


class Single(Pace):
    """A pace that stays single, whatever it is told, and lets no call keep the lead, or each one."""

    keeps_lead = False

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self.single = True

    def brief(self) -> None:
        pass

    def overran(self, now_ns: int, computing: bool) -> None:
        pass

    def may_go_on(self, ticks: int, computing: bool) -> bool:
        return self.keeps_lead

    def weigh(self, now_ns: int, cpu_ns: int, calls: int) -> bool:
        return True  # "it begins": may be said again and again


@contextlib.contextmanager
def single(gated: Any, monkeypatch: pytest.MonkeyPatch, threads: int, **settings: Any) -> Iterator[Running]:
    monkeypatch.setattr(crew, "Pace", Single)
    with serving(gated, threads=threads, **settings) as running:
        running.server._queue.used = True
        yield running
        running.wait_word("requests_active", 0)
        running.wait_word("requests_queued", 0)
        assert not [text for level, text in running.logged if level == "error"]


def test_requests_are_answered_in_order_whoever_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    gated = Gated()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        order.append(environ["PATH_INFO"])
        return gated(environ, start_response)

    for blocked in (0, 1, 2):  # the third thread leads; …; the monitor leads, and threads come back
        order.clear()
        with (
            single(application, monkeypatch, 2) as running,
            waiting(running, gated, blocked) as first,
            contextlib.ExitStack() as stack,
        ):
            paths = [b"/%d" % number for number in range(12)]
            socks = queue_up(running, stack, paths) if blocked == 2 else []
            for path in paths[len(socks) :]:
                assert running.exchange(GET % path).endswith(path)
            gated.open(blocked)
            for sock in [*first, *socks]:
                assert receive_response(sock)[0] == 200
            running.wait_word("requests_total", 12 + blocked)
        assert order == [*["/wait"] * blocked, *(f"/{number}" for number in range(12))]


def test_one_at_a_time_when_nothing_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = Gated()
    with single(gated, monkeypatch, 15) as running, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(running.connect()) for _ in range(20)]
        for _ in range(10):
            for sock in socks:
                sock.sendall(GET % b"/x")
            for sock in socks:
                assert receive_response(sock)[0] == 200
        running.wait_word("requests_total", 200)
        assert len(gated.threads) <= 3  # a call that the machine made slow may have cost a hand-over


def test_pipelined_requests_stay_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    with single(Gated(), monkeypatch, 2) as running:
        answer = running.exchange(b"".join(GET % (b"/%d" % number) for number in range(20)))
        assert [block.rpartition(b"\r\n\r\n")[2] for block in answer.split(b"HTTP/1.1 200 OK")[1:]] == [
            b"/%d" % number for number in range(20)
        ]


def test_who_leaves_while_in_line_is_not_called_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = Gated()
    paths: list[str] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        return gated(environ, start_response)

    with single(application, monkeypatch, 1) as running, waiting(running, gated, 1) as first:
        with running.connect() as leaver, running.connect() as stayer:
            leaver.sendall(GET % b"/leaver")
            running.wait_word("requests_queued", 1)
            stayer.sendall(GET % b"/stayer")
            running.wait_word("requests_queued", 2)
            leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            leaver.close()  # a reset
            running.wait(lambda: any(item.signalled for item in running.server._poller.connections.copy().values()))
            gated.open(1)
            assert receive_response(stayer)[0] == 200
        assert receive_response(first[0])[0] == 200
        running.wait_word("aborted", 1)
    assert paths == ["/wait", "/stayer"]


def test_who_ends_a_call_goes_idle_and_leaves_the_queue_to_the_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    gated, queued = Gated(), Gated()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/queued":
            return queued({"PATH_INFO": "/wait"}, start_response)
        return gated(environ, start_response)

    with (
        single(application, monkeypatch, 2) as running,
        waiting(running, gated, 2) as first,
        contextlib.ExitStack() as stack,
    ):
        crew_ = running.server._crew
        socks = queue_up(running, stack, [b"/queued"] * 3)
        monkeypatch.setattr(Single, "keeps_lead", True)
        gated.open(1)
        queued.wait_arrivals(1)  # inline: its thread does not count as detached, but the one at the gate still does
        running.wait(lambda: crew_._detached == 1 and running.word("requests_queued") == 2)
        gated.open(1)
        queued.open(3)
        for sock in [*first, *socks]:
            assert receive_response(sock)[0] == 200


def test_the_leader_hears_of_what_another_thread_puts_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "LONGEST_WAIT_S", 3600.0)  # else it would look by itself
    monkeypatch.setattr(keeping, "HEAD_TIMEOUT_NS", 3600 * 10**9)
    gated = Gated()
    with single(gated, monkeypatch, 2, keep_alive_timeout_s=3600.0) as running, running.connect() as sock:
        sock.sendall(GET % b"/wait" + GET % b"/next")
        gated.wait_arrivals(1)
        running.wait_word("requests_active", 1)  # somebody else leads, and waits
        gated.open(1)
        data = b""
        while not data.endswith(b"/next"):
            data += sock.recv(4096)


def test_what_comes_while_a_request_is_in_line_is_answered_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = Gated()
    with (
        single(gated, monkeypatch, 1, keep_alive_timeout_s=3600.0) as running,
        waiting(running, gated, 1),
        contextlib.ExitStack() as stack,
    ):
        (sock,) = queue_up(running, stack, [b"/one"])
        sock.sendall(GET % b"/two")
        running.wait(lambda: any(item.signalled for item in running.server._poller.connections.copy().values()))
        gated.open(1)
        data = b""
        while not data.endswith(b"/two"):
            data += sock.recv(4096)
        assert b"/one" in data


def test_the_queue_is_worked_off_when_single_mode_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = Gated()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/0":
            running.server._crew._pace.single = False
        return gated(environ, start_response)

    with (
        single(application, monkeypatch, 1) as running,
        waiting(running, gated, 1),
        contextlib.ExitStack() as stack,
    ):
        socks = queue_up(running, stack, [b"/%d" % number for number in range(5)])
        assert running.server._queue.used
        gated.open(1)
        for sock in socks:
            assert receive_response(sock)[0] == 200
        running.wait(lambda: not running.server._queue.used)


def test_draining_answers_what_is_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    gated = Gated()
    with (
        single(gated, monkeypatch, 1) as running,
        waiting(running, gated, 1) as first,
        running.connect() as late,
    ):
        late.sendall(GET % b"/late")
        running.wait_word("requests_queued", 1)
        running.server.stop_accepting()
        gated.open(1)
        assert receive_all(late).endswith(b"/late")
        assert receive_all(first[0]).endswith(b"/wait")
        assert running.server.wait_idle(20)


def test_a_trial_begins_and_ends_while_clients_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process computes all the time, as it is told, while calls wait in truth: each trial has to fail."""
    begun: list[int] = []  # how many requests were queued then

    class Observed(Pace):
        def weigh(self, now_ns: int, cpu_ns: int, calls: int) -> bool:
            if super().weigh(now_ns, now_ns, calls):
                begun.append(running.word("requests_queued"))
                return True
            return False

        def overran(self, now_ns: int, computing: bool) -> None:
            super().overran(now_ns, True)

    monkeypatch.setattr(crew, "Pace", Observed)

    def application(environ: Any, start_response: Any) -> list[bytes]:
        threading.Event().wait(0.006)  # how long does not matter, as long as the crew takes it for slow
        start_response("200 OK", [])
        return [b"x"]

    with serving(application, threads=8) as running:
        with Clients(running.address[1], 16, "/x") as clients:
            running.wait(lambda: len(begun) >= 2, lambda: f"trials: {begun}")
        assert clients.failures == []
        assert any(begun)  # the monitor weighs while it leads, too
        running.wait_word("requests_active", 0)
        running.wait_word("requests_queued", 0)
