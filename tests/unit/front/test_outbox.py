"""Answers of one round leave together: in their order, in time, and never in the way of anything.

Most tests drive the poller themselves, as the leader would; no thread of the server runs then.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.driven import Driven
from support.gated import GET
from support.serving import Clock, receive_all, receive_response, serving

from wsgigroups.runtime.calls import pace, work
from wsgigroups.runtime.calls.request_threads import RequestThread
from wsgigroups.runtime.front.connection import FLUSHING, POSTED
from wsgigroups.runtime.gateway.packets import packet
from wsgigroups.runtime.wire.board import BUSY_WORD, WORD


def readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def test_answers_wait_for_each_other_and_leave_before_the_next_wait(driven: Driven) -> None:
    with driven.connect() as first, driven.connect() as second:
        first.sendall(GET % b"/1")
        second.sendall(GET % b"/2")
        driven.round(2)
        assert not readable(first)
        assert not readable(second)
        assert [connection.state for connection in driven.posted] == [POSTED, POSTED]
        driven.send()
        assert receive_response(first)[2] == b"/1"
        assert receive_response(second)[2] == b"/2"
        first.sendall(GET % b"/3")
        driven.round(1)
        driven.poller.wake()
        driven.poller.wait()  # sends before it waits
        assert receive_response(first)[2] == b"/3"


def test_pipelined_requests_are_answered_in_their_order(driven: Driven) -> None:
    with driven.connect() as sock:
        sock.sendall(b"".join(GET % (b"/%d" % number) for number in range(5)))
        driven.round(5)
        driven.send()
        data = b""
        while data.count(b"HTTP/1.1 200") < 5 or not data.endswith(b"/4"):
            data += sock.recv(65536)
        bodies = [part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 ")[1:]]
        assert bodies == [b"/0", b"/1", b"/2", b"/3", b"/4"]


def test_what_is_not_kept_or_not_whole_is_never_posted(driven: Driven) -> None:
    with driven.connect() as sock:
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        driven.round(1)
        assert not driven.posted
        assert receive_response(sock)[1]["connection"] == "close"
    driven.poller.stop()
    with driven.connect() as sock:
        sock.sendall(GET % b"/y")
        driven.round(1)
        assert not driven.posted
        assert receive_response(sock)[1]["connection"] == "close"


@pytest.fixture
def asked_by_gateways() -> Iterator[Driven]:
    """A server that is asked by a gateway on its machine: answers have a length."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", environ["QUERY_STRING"])])
        return [b"x" * int(environ["QUERY_STRING"])]

    found = Driven(application, trusted_proxies=("127.0.0.0/8",))
    yield found
    found.close()


def of_a_gateway(size: int) -> bytes:
    """Return what a gateway sends to be answered so many bytes."""
    return packet(
        [
            *(("WSGIGROUPS_FRAMING", "chunked"), ("REQUEST_METHOD", "GET"), ("REQUEST_URI", f"/?{size}")),
            *(("QUERY_STRING", str(size)), ("PATH_INFO", "/"), ("HTTP_HOST", "a"), ("SERVER_PROTOCOL", "HTTP/1.1")),
        ]
    )


def test_answers_to_gateways_leave_together_and_their_connections_end(asked_by_gateways: Driven) -> None:
    driven = asked_by_gateways
    with driven.connect() as first, driven.connect() as second:
        first.sendall(of_a_gateway(5))
        second.sendall(of_a_gateway(6))
        driven.round(2)
        assert not readable(first)
        assert not readable(second)
        driven.send()
        assert receive_all(first).endswith(b"\r\nConnection: close\r\n\r\nxxxxx")
        assert receive_all(second).endswith(b"\r\n\r\nxxxxxx")
        assert not driven.connections


@pytest.mark.parametrize(("size", "behind", "brief"), [(16385, b"", True), (5, b"more", True), (5, b"", False)])
def test_an_answer_to_a_gateway_that_cannot_wait_leaves_at_once(
    asked_by_gateways: Driven, size: int, behind: bytes, brief: bool
) -> None:
    driven = asked_by_gateways
    with driven.connect() as sock:
        sock.sendall(of_a_gateway(size) + behind)
        driven.round(1, brief)
        assert not driven.posted
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock).endswith(b"\r\n\r\n" + b"x" * size)


def test_a_gateway_that_takes_an_answer_slowly_gets_all_of_it_and_the_end(asked_by_gateways: Driven) -> None:
    driven = asked_by_gateways
    with driven.connect() as sock:
        sock.sendall(of_a_gateway(9000))
        connection = driven.connections[0]
        driven.round(1)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        while send_some(connection.sock):  # until it takes no more
            pass
        driven.send()
        assert connection.state == FLUSHING
        sock.shutdown(socket.SHUT_WR)
        received = []
        taking = threading.Thread(target=lambda: received.append(receive_all(sock)))
        taking.start()
        while driven.connections:
            driven.poller.wait()
            while driven.poller.ready:
                driven.poller.step()
        taking.join()
        assert received[0].endswith(b"\r\n\r\n" + b"x" * 9000)


def send_some(sock: socket.socket) -> int:
    """Send bytes, none if there is no room for any."""
    try:
        return sock.send(b"0" * 4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0


def test_a_client_that_left_costs_one_line_and_is_counted(driven: Driven) -> None:
    sock = driven.connect()
    sock.sendall(GET % b"/x")
    driven.round(1)
    connection = driven.posted[0]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()  # a reset
    driven.send()
    assert [text.partition(": ")[0] for _level, text in driven.logged] == ["GET /x from 127.0.0.1"]
    assert driven.board.words[WORD["aborted"]] == 1
    assert connection not in driven.connections


def test_a_client_that_does_not_read_gets_the_rest_later(driven: Driven) -> None:
    with driven.connect() as sock:
        connection = driven.connections[0]
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        expected = b"/" * 16000
        for _ in range(3):
            sock.sendall(GET % b"/?16000")
            driven.round(1)
            driven.send()
            with contextlib.ExitStack() as stack:
                stack.callback(driven.poller.wake)
                reader: list[bytes] = []
                thread = threading.Thread(target=lambda found=reader: found.append(receive_response(sock)[2]))
                thread.start()
                while connection.output is not None:
                    driven.poller.wait()
                    while driven.poller.ready:
                        driven.poller.step()
                thread.join(20)
            assert reader == [expected]


class Recorded:
    """A socket that notes when it is sent to, and with which flags."""

    def __init__(self, sock: socket.socket, happened: list[str], flags: list[int] | None = None) -> None:
        self._sock, self._happened, self._flags = sock, happened, [] if flags is None else flags

    def send(self, data: bytes, flags: int) -> int:
        self._happened.append("send")
        self._flags.append(flags)
        return self._sock.send(data, flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize(
    ("request_text", "brief", "with_end"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", True, True),
        (b"GET / HTTP/1.0\r\n\r\n", True, True),
        (b"HEAD / HTTP/1.0\r\n\r\n", True, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False, False),  # a close might come late
        (b"GET /?100000 HTTP/1.0\r\n\r\n", True, False),
        (b"GET / HTTP/1.0\r\n\r\nGET /", True, False),  # to be lingered for
    ],
)
def test_the_end_of_a_connection_leaves_with_its_last_answer(
    driven: Driven, request_text: bytes, brief: bool, with_end: bool
) -> None:
    flags: list[int] = []
    with driven.connect() as sock:
        (connection,) = driven.connections
        connection.sock = Recorded(connection.sock, [], flags)  # type: ignore[assignment]
        sock.sendall(request_text)
        driven.round(1, brief)
        assert receive_all(sock).startswith(b"HTTP/1.1 200 ")
        assert [bool(found & socket.MSG_MORE) for found in flags] == [with_end] * len(flags)
        assert flags


def test_no_answer_waits_long_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    seen: list[list[bool]] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append([readable(sock) for sock in socks])
        clock.advance(0.0006)
        start_response("200 OK", [])
        return [b"x"]

    monkeypatch.setattr(work, "BRIEF_NS", 10**9)  # brief as far as this is concerned
    driven = Driven(application, clock)
    driven.crew.pace.brief = True
    with contextlib.ExitStack() as stack:
        stack.callback(driven.close)
        socks = [stack.enter_context(driven.connect()) for _ in range(4)]
        for sock in socks:
            sock.sendall(GET % b"/")
        driven.poller.wait()
        wait, rounds = driven.poller.wait, iter(range(100))

        def wait_or_end() -> None:
            if len(seen) == 4 or next(rounds) == 99:
                driven.crew.closing = True
            wait()

        monkeypatch.setattr(driven.poller, "wait", wait_or_end)
        driven.poller.wake()
        driven.lead()
        assert len(seen) == 4
        # When the third call begins, 1.2 ms have passed since answers left last; when the fourth does, 0.6 ms.
        assert [sum(flags) for flags in seen] == [0, 0, 2, 2]
        assert [receive_response(sock)[0] for sock in socks] == [200] * 4


def test_a_call_that_blocks_keeps_no_answer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "BRIEF_ROW", 1)
    arrived, gate = threading.Event(), threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            arrived.set()
            assert gate.wait(20)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    with serving(application) as running, contextlib.ExitStack() as stack:
        stack.callback(gate.set)
        poller = running.server.poller
        quick, blocked, other = (stack.enter_context(running.connect()) for _ in range(3))
        running.wait(lambda: sum(item.watched for item in running.connections) == 3)
        held, go_on, wait = threading.Event(), threading.Event(), poller.wait

        def wait_at_the_gate() -> None:
            if running.word("started_total") and not held.is_set():
                held.set()
                assert go_on.wait(20)
            wait()

        monkeypatch.setattr(poller, "wait", wait_at_the_gate)
        other.sendall(GET % b"/other")
        assert held.wait(20)
        quick.sendall(GET % b"/quick")
        blocked.sendall(GET % b"/wait")
        go_on.set()
        assert receive_response(other)[2] == b"/other"
        assert arrived.wait(20)
        assert receive_response(quick)[2] == b"/quick"
        gate.set()
        assert receive_response(blocked)[2] == b"/wait"


@pytest.mark.parametrize("brief", [True, False])
def test_an_answer_is_counted_and_over_whether_it_leaves_with_others_or_at_once(brief: bool) -> None:
    clock, calls = Clock(), []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        calls.append(start_response)
        environ["wsgi.errors"].write("no line end")
        clock.advance(0.002)
        start_response("404 Not Found", [("Content-Length", "5")])
        return [b"12345"]

    driven = Driven(application, clock)
    with driven.connect() as sock:
        sock.sendall(GET % b"/")
        driven.round(1, brief)
        driven.publish()
        assert (driven.word("status_4xx"), driven.word("requests_total")) == (1, 1)
        assert driven.word("application_time_ns") == 2_000_000
        assert driven.word("aborted") == 0
        assert any("no line end" in text for _level, text in driven.logged)
        with pytest.raises(RuntimeError, match="after the request had ended"):
            calls[0]("200 OK", [])
        driven.send()
        assert driven.word("sent_bytes") == len(sock.recv(65536))
    driven.close()


def test_what_is_left_of_a_body_and_an_answer_cut_short_are_counted() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        assert len(environ["wsgi.input"].read()) == 100_000
        start_response("200 OK", [("Content-Length", "50")])
        return [b"12345"]

    driven = Driven(application)
    with driven.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        driven.round(1)
        assert receive_all(sock).endswith(b"\r\n\r\n12345")
    assert driven.tally.received_bytes == 100_000
    assert driven.tally.aborted == 1
    driven.close()


def test_a_new_leader_marks_its_first_call_on_the_board_whatever_the_one_before_has_left() -> None:
    seen = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(driven.board.words[BUSY_WORD])
        driven.crew.closing = True  # ends the lead
        return Driven.echo(environ, start_response)

    driven = Driven(application)
    with driven.connect() as sock:
        sock.sendall(GET % b"/")
        while not driven.poller.ready:
            driven.poller.wait()
        driven.poller.outbox.send_by_ns = 1 << 62
        driven.lead()
        assert receive_response(sock)[0] == 200
    assert seen[0] > 0
    assert driven.board.words[BUSY_WORD] == 0
    driven.close()


def test_a_request_that_is_looked_at_after_its_call_began_has_not_waited(driven: Driven) -> None:
    me = RequestThread(0)
    with driven.connect():
        (connection,) = driven.connections
        for arrived_ns, waited_ns in ((10, 0), (8, 1), (9, 1)):
            connection.arrived_ns = arrived_ns
            me.waited(connection, 9)
            assert (me.tally.queue_ns, connection.arrived_ns) == (waited_ns, 0)


def test_answers_to_requests_that_differ_leave_together_at_the_end_of_the_round(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One send for each, after the last call; not between calls."""
    happened: list[str] = []
    count = 6

    def application(environ: Any, start_response: Any) -> list[bytes]:
        happened.append("call")
        body = environ["HTTP_COOKIE"].encode() * (len(happened) + 1)
        start_response("200 OK", [("Content-Length", str(len(body))), ("X-Number", str(len(happened)))])
        if len(happened) > count:
            driven.crew.closing = len(happened) > 3 * count
        return [body]

    driven = Driven(application, Clock())
    with contextlib.ExitStack() as stack:
        stack.callback(driven.close)
        socks = [stack.enter_context(driven.connect()) for _ in range(count)]
        for connection in driven.connections:
            connection.sock = Recorded(connection.sock, happened)  # type: ignore[assignment]
        driven.crew.pace.brief = True
        for round_ in range(2):
            for number, sock in enumerate(socks):
                path = b"/%d/%d?q=%d" % (round_, number, number)
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nCookie: id=%d\r\n\r\n" % (path, 7 * number + round_))
            while len(driven.poller.ready) < count:
                driven.poller.wait()
            wait, rounds = driven.poller.wait, iter(range(2))

            def wait_once(wait: Any = wait, rounds: Any = rounds) -> None:
                driven.crew.closing = next(rounds) == 0
                driven.poller.wake()
                wait()

            monkeypatch.setattr(driven.poller, "wait", wait_once)
            driven.lead()
            monkeypatch.setattr(driven.poller, "wait", wait)
            driven.crew.closing = False
            for number, sock in enumerate(socks):
                assert receive_response(sock)[2].startswith(b"id=%d" % (7 * number + round_))
    assert happened == 2 * (["call"] * count + ["send"] * count)


def test_a_call_after_a_wait_is_marked_however_short_that_was() -> None:
    seen = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(max(running.board.words[BUSY_WORD : BUSY_WORD + 2]))
        return Driven.echo(environ, start_response)

    with serving(application, clock=Clock(), threads=2) as running, running.connect() as sock:
        for _ in range(4):
            sock.sendall(GET % b"/")
            assert receive_response(sock)[0] == 200
            running.wait(lambda: not max(running.board.words[BUSY_WORD : BUSY_WORD + 2]))
    assert len(seen) == 4
    assert min(seen) > 0
