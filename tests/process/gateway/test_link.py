"""The link between a gateway and daemons: real ones, and fake ones that do what no daemon should."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from support import corpus
from support.gateway import FakeDaemon, answering, gateway, read_packet, routes_to
from support.serving import Clock, receive_all, receive_response, serving

from wsgigroups.runtime import originals
from wsgigroups.runtime.wire.histograms import APPLICATION, QUEUE
from wsgigroups.runtime.wire.routes import Link, MountRoute

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TRUSTED = {"unix": True, "trusted_proxies": ("unix",)}


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def echo(environ: Any, start_response: Any) -> list[bytes]:
    """Say what was asked, and what came with it."""
    body = environ["wsgi.input"].read()
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "SERVER_NAME", "HTTP_HOST")
    text = "\n".join(f"{name}={environ.get(name, '')}" for name in names).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text) + len(body) + 1))])
    return [text, b"\n", body]


def test_a_request_goes_to_a_daemon_and_its_answer_comes_back_on_a_kept_connection() -> None:
    with serving(echo, **TRUSTED) as daemon:
        link = Link(daemon.address, uids=(os.getuid(),))
        with gateway(routes_to(link, mounts=(MountRoute("/a", "app"),))) as front, front.connect() as sock:
            for path in ("/a/b%20c?d=e", "/a"):
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:80\r\n\r\n".encode())
                status, fields, body = receive_response(sock)
                assert (status, fields["server"]) == (200, "wsgigroups")
                assert b"SCRIPT_NAME=/a\n" in body
                assert "connection" not in fields
            sock.sendall(b"POST /a/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
            assert receive_response(sock)[2].endswith(b"PATH_INFO=/x\nQUERY_STRING=\nCONTENT_LENGTH=5\nSERVER_NAME=localhost\nHTTP_HOST=localhost\nhello")  # fmt: skip  # noqa: E501
            sock.sendall(b"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert receive_response(sock)[0] == 404
            front.wait(lambda: front.word("requests_total") == 4 and front.word("status_2xx") == 3)
            for histogram in (QUEUE, APPLICATION):
                front.wait(lambda names=histogram.word_names: sum(map(front.word, names)) == 4)


@pytest.mark.parametrize("size", [10, 300_000, 3_000_000])
@pytest.mark.parametrize("how", ["length", "chunked", "expects"])
def test_bodies_arrive_whole_however_long_and_framed(size: int, how: str) -> None:
    """Short ones are held until they are there, and have a length; long ones are sent on as they come."""
    body = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
    head = b"POST /p HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    if how == "expects":
        head += b"Expect: 100-continue\r\n"
    if how == "chunked":
        sent = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        sent = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with serving(echo, **TRUSTED) as daemon, gateway(routes_to(Link(daemon.address))) as front, front.connect() as sock:
        if how == "expects":
            head, _, sent = sent.partition(b"\r\n\r\n")
            sock.sendall(head + b"\r\n\r\n")
            assert sock.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
        upload = threading.Thread(target=sock.sendall, args=(sent,))
        upload.start()
        answer = receive_all(sock)
        upload.join()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\n" + body)
        assert b"CONTENT_LENGTH=%d\n" % size in answer


def test_an_answer_without_a_length_comes_in_chunks_and_until_the_close_for_old_clients() -> None:
    def application(_environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return iter([b"one", b"two"])

    with serving(application, **TRUSTED) as daemon, gateway(routes_to(Link(daemon.address))) as front:
        with front.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
            status, fields, body = receive_response_chunked(sock)
            assert (status, fields["transfer-encoding"], body) == (200, "chunked", b"onetwo")
        old = front.exchange(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert old.endswith(b"\r\nConnection: close\r\n\r\nonetwo")
        head = front.exchange(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert body_of(head) == b""


def receive_response_chunked(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read the first of two pipelined answers, byte by byte."""
    data = b""
    while not data.endswith(b"0\r\n\r\n"):
        data += sock.recv(1)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), fields, b"".join(body.split(b"\r\n")[1:-3:2])


@pytest.mark.parametrize(
    ("blocks", "status", "logged"),
    [
        ((), b"502", "without an answer"),
        ((b"HTTP/1.1 200 OK\r\nContent-Le",), b"502", "without an answer"),
        ((b"rubbish\r\n\r\n",), b"502", "HTTP/1"),
        ((b"HTTP/1.1 101 Switching Protocols\r\n\r\n",), b"502", "switches protocols"),
        ((b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 40000,), b"500", "X-Long"),
        ((b"HTTP/1.1 103 Early Hints\r\n\r\n", OK), b"200", ""),
    ],
)
def test_what_comes_instead_of_an_answer(blocks: tuple[bytes, ...], status: bytes, logged: str) -> None:
    with FakeDaemon(answering(*blocks)) as daemon, gateway(routes_to(daemon.link)) as front:
        answer = front.get()
        assert answer.split(b" ", 2)[1] == status
        assert not logged or any(logged in text for _level, text in front.logged)
        assert daemon.accepted == 1  # nothing is ever asked twice


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ],
)
def test_an_answer_that_was_cut_short_is_not_made_to_look_whole(answer: bytes) -> None:
    with FakeDaemon(answering(answer)) as daemon, gateway(routes_to(daemon.link)) as front:
        found = front.get()
        assert found.endswith(b"<reset>")
        assert b"0\r\n\r\n" not in found
        assert front.word("aborted") == 1


def test_a_daemon_that_nobody_can_connect_to_is_503_when_connect_timeout_is_over() -> None:
    with gateway(routes_to(Link("/nonexistent/socket", connect_timeout_s=0.2))) as front:
        answer = front.get()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert any("connect-timeout" in text for _level, text in front.logged)


def test_a_full_backlog_is_waited_for() -> None:
    with FakeDaemon(answering(OK)) as daemon:
        os.unlink(daemon.path)
        with socket.socket(socket.AF_UNIX) as full, gateway(routes_to(daemon.link)) as front, front.connect() as sock:
            full.bind(daemon.path)
            full.listen(0)
            waiting = [socket.socket(socket.AF_UNIX) for _ in range(1)]
            waiting[0].connect(daemon.path)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            front.wait(lambda: len(front.server.requests_in_flight()) == 1)
            full.accept()[0].close()  # there is room now
            accepted, _address = full.accept()
            with accepted:
                answering(OK)(accepted)
            assert receive_all(sock).endswith(b"ok")
            waiting[0].close()


def test_somebody_else_who_listens_there_is_sent_nothing() -> None:
    seen: list[bytes] = []
    with (
        FakeDaemon(lambda sock: seen.append(sock.recv(1))) as daemon,
        gateway(routes_to(replace(daemon.link, uids=(os.getuid() + 1,)))) as front,
    ):
        assert front.get().startswith(b"HTTP/1.1 503 ")
    assert seen == [b""]


def test_a_daemon_that_does_not_answer_is_504_when_socket_timeout_is_over() -> None:
    with (
        FakeDaemon(lambda sock: bool(read_packet(sock)) and daemon.released.wait()) as daemon,
        gateway(routes_to(replace(daemon.link, socket_timeout_s=0.2))) as front,
    ):
        assert front.get().startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        daemon.released.set()


def test_a_daemon_that_does_not_go_on_with_its_answer_cuts_it() -> None:
    def behave(sock: socket.socket) -> None:
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")(sock)
        daemon.released.wait()

    with FakeDaemon(behave) as daemon, gateway(routes_to(replace(daemon.link, socket_timeout_s=0.2))) as front:
        assert front.get().endswith(b"half<reset>")
        daemon.released.set()


def test_an_early_answer_ends_an_upload() -> None:
    with FakeDaemon(answering(OK)) as daemon, gateway(routes_to(daemon.link)) as front, front.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\nbegun")
        status, fields, body = receive_response(sock)
        assert (status, fields["connection"], body) == (200, "close", b"ok")


def test_a_large_answer_to_an_upload_that_nobody_reads() -> None:
    size = 10_000_000

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"a" * size]

    with serving(application, **TRUSTED) as daemon, gateway(routes_to(Link(daemon.address))) as front:
        with front.connect() as sock:
            upload = threading.Thread(target=send_quietly, args=(sock, size))
            upload.start()
            answer = receive_all(sock)
            upload.join()
        assert len(body_of(answer.removesuffix(b"<reset>"))) == size


def send_quietly(sock: socket.socket, size: int) -> None:
    try:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
        sock.sendall(b"b" * size)
    except OSError:
        return


def test_a_slow_client_holds_the_answer_up_and_gets_it_whole() -> None:
    size = 8_000_000
    sent: list[int] = []

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"c" * 65536
        for _ in range(0, size, len(block)):
            sock.sendall(block[: size - sum(sent)])
            sent.append(min(len(block), size - sum(sent)))

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(front.address)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        front.wait(lambda: bool(sent))
        client = next(iter(front.server.poller.connections.open.values()))
        front.wait(lambda: client.output is not None and client.output.size > 65536)
        assert client.output is not None
        assert client.output.size < 300_000
        assert len(body_of(receive_all(sock))) == size


def test_a_client_that_takes_nothing_is_cut_off() -> None:
    with FakeDaemon(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n", b"d" * 20_000_000)) as daemon:
        link = replace(daemon.link, response_socket_timeout_s=0.2)
        with gateway(routes_to(link)) as front, front.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            front.wait_logged("response-socket-timeout")


def test_a_client_that_leaves_ends_the_link() -> None:
    ended = threading.Event()

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        sock.recv(1)
        ended.set()

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front:
        with front.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            front.wait(lambda: daemon.accepted == 1)
        assert ended.wait(20)
        front.wait(lambda: not front.server.requests_in_flight())


def test_many_slow_clients_hold_no_thread_of_a_daemon() -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with serving(application, threads=1, **TRUSTED) as daemon, gateway(routes_to(Link(daemon.address))) as front:
        slow = [front.connect() for _ in range(200)]
        for sock in slow:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nslow")
        front.wait(lambda: front.word("connections") == len(slow))
        assert front.get().endswith(b"ok")
        assert daemon.word("connections") <= 1
        slow[0].sendall(b"x" * (100000 - 4))
        assert receive_response(slow[0])[2] == b"ok"
        for sock in slow:
            sock.close()


def test_an_answer_may_come_byte_by_byte() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0;x=y\r\n\r\n"
    with (
        FakeDaemon(answering(*[bytes([byte]) for byte in answer])) as daemon,
        gateway(routes_to(daemon.link)) as front,
        front.connect() as sock,
    ):
        for _ in range(2):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert receive_response(sock) == (200, {"transfer-encoding": "chunked"}, b"abc")


def test_a_daemon_and_a_client_that_both_only_send_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one of them has given up: what is left of the body is dropped, since an answer is on its way."""
    monkeypatch.setattr("wsgigroups.runtime.gateway.passage.STUCK_NS", 50_000_000)
    size = 30_000_000

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        sock.sendall(b"e" * size)

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front, front.connect() as sock:
        send_quietly(sock, size)  # all of it, before anything is read
        assert len(body_of(receive_all(sock))) == size


@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_a_body_that_ends_too_early_does_not_look_whole_to_the_daemon(framing: str) -> None:
    seen: list[bytes] = []
    ended = threading.Event()

    def behave(sock: socket.socket) -> None:
        found = read_packet(sock)
        seen.append((found["CONTENT_LENGTH"] or found["WSGIGROUPS_BODY"]).encode())
        seen.append(receive_all(sock))
        ended.set()

    chunk = b"100000\r\n" + b"f" * 0x100000 + b"\r\n"
    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front:
        with front.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % framing.encode() + chunk + chunk)
            front.wait(lambda: len(seen) == 1)
        assert ended.wait(20)
        assert seen[0] in (b"5000000", b"chunked")
        assert not seen[1].endswith(b"0\r\n\r\n")
        assert len(seen[1]) < 5_000_000


def test_a_body_that_turns_out_to_be_malformed_or_too_long_ends_the_request() -> None:
    chunk = b"180000\r\n" + b"g" * 0x180000 + b"\r\n"
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        FakeDaemon(lambda sock: bool(receive_all(sock))) as daemon,
        gateway(routes_to(daemon.link), limit_request_body=0x200000) as front,
    ):
        assert front.exchange(head + chunk + b"nonsense\r\n").startswith(b"HTTP/1.1 400 ")
        assert front.exchange(head + chunk + chunk).startswith(b"HTTP/1.1 413 ")
        assert daemon.accepted == 2


@pytest.mark.parametrize(("failures", "status", "accepted"), [(1, b"200", 2), (2, b"502", 2)])
def test_a_request_is_tried_again_once_if_no_byte_of_it_was_taken(
    failures: int, status: bytes, accepted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [None] * failures

    class Breaking(socket.socket):
        def send(self, data: Any, flags: int = 0) -> int:
            if self.family == socket.AF_UNIX and left:
                left.pop()
                raise BrokenPipeError(32, "Broken pipe")
            return super().send(data, flags)

    with FakeDaemon(answering(OK)) as daemon, gateway(routes_to(daemon.link)) as front:
        monkeypatch.setattr(originals.socket, "SocketType", Breaking)
        assert front.get().split(b" ")[1] == status
        front.wait(lambda: daemon.accepted == accepted)


def test_a_client_that_sends_its_body_too_slowly_gets_408_and_the_link_ends() -> None:
    clock, ended = Clock(), threading.Event()

    def behave(sock: socket.socket) -> None:
        read_packet(sock)
        receive_all(sock)
        ended.set()

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link), clock=clock) as front, front.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nbegun")
        front.wait(lambda: daemon.accepted == 1)
        clock.advance(61.0)
        front.server.poller.wake()
        assert receive_response(sock)[0] == 408
        assert ended.wait(20)


def test_an_error_of_ours_ends_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeDaemon(answering(OK)) as daemon, gateway(routes_to(daemon.link)) as front:
        with monkeypatch.context() as broken:
            broken.setattr("wsgigroups.runtime.gateway.forwarding.packet_of", lambda *_given: 1 // 0)
            assert front.get() == b"<reset>"
        assert front.get().endswith(b"ok")
        assert any("ZeroDivisionError" in text for _level, text in front.logged)
        assert not front.server.requests_in_flight()


def test_a_request_that_has_waited_too_long_in_front_of_the_gateway_is_504_by_its_stamp() -> None:
    with (
        serving(echo, queue_timeout_s=30.0, **TRUSTED) as daemon,
        gateway(routes_to(Link(daemon.address)), trusted_proxies=("127.0.0.1",)) as front,
    ):
        now_s = time.time()
        assert front.get(fields=f"X-Request-Start: t={now_s - 1:.3f}\r\n").startswith(b"HTTP/1.1 200 ")
        assert front.get(fields=f"X-Request-Start: t={now_s - 60:.3f}\r\n").startswith(b"HTTP/1.1 504 ")


def test_a_gateway_takes_no_packets_and_says_so_of_a_path_that_is_too_long() -> None:
    with gateway(routes_to(Link("/" + "x" * 200)), trusted_proxies=("127.0.0.1",)) as front:
        assert front.exchange(corpus.uwsgi()).startswith(b"HTTP/1.1 400 ")
        assert front.get().startswith(b"HTTP/1.1 503 ")
        assert any("path too long" in text for _level, text in front.logged)


def test_bodies_are_sent_on_sooner_while_all_together_take_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgigroups.runtime.gateway.loop.HELD_BYTES", 1000)
    clock = Clock()
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n"
    with (
        FakeDaemon(lambda sock: bool(receive_all(sock))) as daemon,
        gateway(routes_to(daemon.link), clock=clock) as front,
        front.connect() as held,
        front.connect() as sent_on,
    ):
        held.sendall(head + b"h" * 10_000)
        front.wait(
            lambda: any(len(item.data) == 10_000 for item in list(front.server.poller.connections.open.values()))
        )
        assert daemon.accepted == 0
        clock.advance(2.0)  # it looks once a second
        front.server.poller.wake()
        front.wait(lambda: front.server.poller.receiving.intake.collected_bytes < 500_000)
        sent_on.sendall(head + b"s" * 100)
        front.wait(lambda: daemon.accepted == 1)


def test_a_loop_that_is_broken_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()
    with gateway() as front:
        front.server.on_failure = failed.set
        monkeypatch.setattr(front.server.poller, "wait", lambda: 1 // 0)
        front.server.poller.wake()
        assert failed.wait(20)
        assert any("the gateway's loop has failed" in text for _level, text in front.logged)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_daemon_answers_a_gateway_in_one_block_as_in_several(method: str) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"Hello"] if environ["QUERY_STRING"] == "one" else iter([b"He", b"llo"])

    with serving(application, **TRUSTED) as daemon:
        answers = [
            daemon.exchange(
                corpus.uwsgi(
                    ("WSGIGROUPS_FRAMING", "chunked"),
                    REQUEST_METHOD=method,
                    REQUEST_URI=f"/?{query}",
                    QUERY_STRING=query,
                )
            )
            for query in ("one", "several")
        ]
    heads = [answer.partition(b"Date: ")[0] + answer.partition(b"\r\nConnection: ")[2] for answer in answers]
    assert heads[0] == heads[1]
    assert heads[0].endswith(b"close\r\n\r\nHello" if method == "GET" else b"close\r\n\r\n")
