"""Requests that begin on the short way, and answers, clients and daemons that are not for it."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.gateway import FakeDaemon, Gateway, answering, gateway, read_packet, routes_to
from support.serving import Clock, receive_all, receive_response, serving

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.gateway import short_way
from wsgigroups.runtime.wire.histograms import APPLICATION, QUEUE
from wsgigroups.runtime.wire.routes import Link, MountRoute

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"

pytestmark = pytest.mark.skipif(accelerator.load() is None, reason="no accelerator has been built")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the short way has taken the requests that it was offered."""
    found: list[bool] = []
    take = short_way.ShortWay.take

    def noted(self: short_way.ShortWay, client: Any) -> bool:
        found.append(take(self, client))
        return found[-1]

    monkeypatch.setattr(short_way.ShortWay, "take", noted)
    return found


@contextmanager
def asked(front: Gateway) -> Iterator[socket.socket]:
    """Connect, and be answered once: the host is known then."""
    with front.connect() as sock:
        sock.sendall(b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive_response(sock)[2] == b"ok"
        sock.sendall(b"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive_response(sock)[2] == b"ok"
        yield sock


def after_two(*blocks: bytes) -> Callable[[socket.socket], None]:
    """Return a behaviour: `asked` gets what it wants, the next one these blocks, and the end."""
    return after_two_do(answering(*blocks))


def after_two_do(behave: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Return a behaviour: `asked` gets what it wants, and with the next one this is done."""
    numbers = iter(range(1000))
    usual = answering(OK)
    return lambda sock: usual(sock) if next(numbers) < 2 else behave(sock)


def test_requests_of_a_kept_connection_take_the_short_way(taken: list[bool]) -> None:
    packets: list[dict[str, str]] = []

    def behave(sock: socket.socket) -> None:
        packets.append(read_packet(sock))
        sock.sendall(OK)

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link, hsts_s=5)) as front, front.connect() as sock:
        for number in range(5):
            sock.sendall(GET % number)
            assert receive_response(sock) == (200, {"content-length": "2"}, b"ok")
        assert taken[-3:] == [True, True, True]
        front.wait(lambda: front.word("requests_total") == 5)
        assert (front.word("started_total"), front.word("status_2xx"), front.word("sent_bytes")) == (5, 5, 10)
        assert front.word("application_time_ns") > 0
        for histogram in (QUEUE, APPLICATION):
            assert sum(map(front.word, histogram.word_names)) == 5
        assert front.word("queue_within_1_ms") >= 3
        assert front.server.loop.table.counts.of("localhost") == 5
    different = {"REQUEST_ID", "HTTP_X_REQUEST_ID", "WSGIGROUPS_QUEUE_START", "REQUEST_URI", "PATH_INFO"}
    short, long = ({key: packet[key] for key in packet.keys() - different} for packet in (packets[0], packets[-1]))
    assert short == long
    assert len({packet["REQUEST_ID"] for packet in packets}) == 5


@pytest.mark.parametrize(
    ("blocks", "status", "logged"),
    [
        ((), b"502", "without an answer"),
        ((b"HTTP/1.1 200 OK\r\nContent-Le",), b"502", "without an answer"),
        ((b"rubbish\r\n\r\n",), b"502", "HTTP/1"),
        ((b"HTTP/1.1 101 Switching Protocols\r\n\r\n",), b"502", "switches protocols"),
        ((b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 40000,), b"500", "X-Long"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",), b"502", "twice"),
    ],
)
def test_what_comes_instead_of_an_answer(
    blocks: tuple[bytes, ...], status: bytes, logged: str, taken: list[bool]
) -> None:
    with FakeDaemon(after_two(*blocks)) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        sock.sendall(GET % 3)
        assert receive_response(sock)[0] == int(status)
        assert taken[-1]
        front.wait_logged(logged)
        assert daemon.accepted == 3  # nothing is ever asked twice
        front.wait(lambda: front.word("requests_total") == 3 and not front.word("requests_active"))


@pytest.mark.parametrize(
    ("blocks", "body"),
    [
        ((b"HTTP/1.1 103 Early Hints\r\n\r\n", OK), b"ok"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nH", b"ell", b"o"), b"Hello"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello and more",), b"Hello"),
        ((b"HTTP/1.1 200 OK\r\nContent-Len", b"gth: 5\r\n\r\n", b"Hello"), b"Hello"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", b"x" * 300_000), b"x" * 300_000),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
    ],
)
def test_answers_that_come_in_parts_arrive_whole(blocks: tuple[bytes, ...], body: bytes, taken: list[bool]) -> None:
    with FakeDaemon(after_two(*blocks)) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        for number in range(3):
            sock.sendall(GET % number)
            assert receive_response(sock)[2] == body
            assert taken[-1]


def test_an_answer_without_a_length_comes_in_chunks(taken: list[bool]) -> None:
    block = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    with FakeDaemon(after_two(block)) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        sock.sendall(GET % 3)
        assert sock.recv(len(block), socket.MSG_WAITALL) == block
        assert taken[-1]


@pytest.mark.parametrize("rest", [(), (b"or",)])
def test_an_answer_that_was_cut_short_is_not_made_to_look_whole(rest: tuple[bytes, ...], taken: list[bool]) -> None:
    blocks = (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsh", *rest)
    with FakeDaemon(after_two(*blocks)) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        sock.sendall(GET % 3)
        assert receive_all(sock).endswith(b"<reset>")
        assert taken[-1]
        assert front.word("aborted") == 1


def test_a_request_that_no_daemon_has_read_is_sent_once_more(taken: list[bool]) -> None:
    """A UNIX socket that is closed with something unread in it resets its peer."""
    numbers = iter(range(100))

    def behave(sock: socket.socket) -> None:
        if next(numbers) != 2:
            read_packet(sock)
            sock.sendall(OK)
        else:
            sock.recv(1, socket.MSG_PEEK)

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        sock.sendall(GET % 3)
        assert receive_response(sock)[2] == b"ok"
        assert taken[-1]
        assert daemon.accepted == 4


def test_a_daemon_that_never_answers_is_waited_for_no_longer_than_socket_timeout(taken: list[bool]) -> None:
    clock = Clock()
    came, done = threading.Event(), threading.Event()

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        came.set()
        done.wait(20)

    with FakeDaemon(after_two_do(behave)) as daemon:
        with gateway(routes_to(Link(daemon.path, socket_timeout_s=7)), clock=clock) as front, asked(front) as sock:
            sock.sendall(GET % 3)
            assert came.wait(20)
            assert taken[-1]
            front.wait(lambda: front.server.requests_in_flight() == ["GET /3 0.000"])
            clock.advance(7.1)
            front.server.poller.wake()
            assert receive_response(sock)[0] == 504
            front.wait_logged("socket-timeout: the daemon has not sent its answer for 7s")
        done.set()


def test_a_client_that_goes_takes_its_link_with_it(taken: list[bool]) -> None:
    came, gone = threading.Event(), threading.Event()

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        came.set()
        assert sock.recv(1) == b""
        gone.set()

    with FakeDaemon(after_two_do(behave)) as daemon, gateway(routes_to(daemon.link)) as front:
        with asked(front) as sock:
            sock.sendall(GET % 3)
            assert came.wait(20)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert taken[-1]
        assert gone.wait(20)
        front.wait_logged("GET /3 from 127.0.0.1: the client is gone")
        front.wait(lambda: front.word("aborted") == 1)


def test_what_a_client_sends_ahead_and_its_end_come_in_their_turn(taken: list[bool]) -> None:
    came, go = threading.Event(), threading.Event()

    def behave(sock: socket.socket) -> None:
        path = read_packet(sock)["PATH_INFO"]
        if path == "/3":
            came.set()
            assert go.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path.encode())

    with FakeDaemon(after_two_do(behave)) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        sock.sendall(GET % 3)
        assert came.wait(20)
        assert taken[-1]
        sock.sendall(GET % 4 + GET % 5)
        sock.shutdown(socket.SHUT_WR)
        go.set()
        assert [body[-2:] for body in receive_all(sock).split(b"HTTP/1.1 200 OK\r\n")[1:]] == [b"/3", b"/4", b"/5"]


def test_an_answer_of_a_gateway_that_leaves_says_that_it_is_the_last(taken: list[bool]) -> None:
    came, go = threading.Event(), threading.Event()

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        came.set()
        assert go.wait(20)
        sock.sendall(OK)

    with FakeDaemon(after_two_do(behave)) as daemon, gateway(routes_to(daemon.link)) as front, asked(front) as sock:
        sock.sendall(GET % 3)
        assert came.wait(20)
        assert taken[-1]
        front.server.poller.stop()
        go.set()
        assert receive_all(sock).endswith(b"\r\nConnection: close\r\n\r\nok")


def test_a_request_goes_where_the_routes_of_its_time_led(taken: list[bool]) -> None:
    """And the next one where those of then do, on the same connection."""
    came, go = threading.Event(), threading.Event()

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        came.set()
        assert go.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    with FakeDaemon(after_two_do(behave)) as daemon, FakeDaemon(answering(OK)) as other:
        with gateway(routes_to(daemon.link)) as front, asked(front) as sock:
            sock.sendall(GET % 3)
            assert came.wait(20)
            before = len(taken)
            assert taken[-1]
            front.server.route(routes_to(other.link, mounts=(MountRoute("/4", "app"),), hsts_s=3))
            go.set()
            assert sock.recv(1000).endswith(b"\r\n\r\n0\r\n\r\n")
            for number, status in ((4, 200), (4, 200), (5, 404)):
                sock.sendall(GET % number)
                assert receive_response(sock)[0] == status
        assert (daemon.accepted, other.accepted) == (3, 2)
        assert taken[before:] == [False, True, False]


def test_the_access_log_has_the_same_of_both_ways(tmp_path: Path, taken: list[bool]) -> None:
    path = tmp_path / "log"
    with serving(_said, unix=True, trusted_proxies=("unix",)) as daemon, path.open("wb") as log:
        routes = routes_to(Link(daemon.address), access_log=0, access_format="json")
        with gateway(routes, access_logs=[log.fileno()]) as front, front.connect() as sock:
            for _ in range(3):
                sock.sendall(b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nUser-Agent: me\r\n\r\n")
                assert receive_response(sock)[2] == b"said"
            front.wait(lambda: path.read_bytes().count(b"\n") == 3)
    first, *_, last = map(json.loads, path.read_text().splitlines())
    assert taken[-1]
    assert last["whole"]
    assert last["application_s"] > 0
    times = {"time", "request_id", "duration_s", "application_s", "send_s", "queue_s"}
    assert {key: first[key] for key in first.keys() - times} == {key: last[key] for key in last.keys() - times}


def _said(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "4")])
    return [b"said"]


def test_links_are_closed(taken: list[bool]) -> None:
    with (
        serving(_said, unix=True, trusted_proxies=("unix",)) as daemon,
        gateway(routes_to(Link(daemon.address))) as front,
        front.connect() as sock,
    ):
        sock.sendall(GET % 0)
        receive_response(sock)
        before = len(os.listdir("/proc/self/fd"))
        for number in range(200):
            sock.sendall(GET % number)
            assert receive_response(sock)[2] == b"said"
        assert sum(taken) >= 199
        front.wait(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)
