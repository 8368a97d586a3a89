"""Daemons that do what none of ours does, and others in their place: what a client gets, and what it cannot get."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.gateway import FakeDaemon, answering, gateway, read_packet, routes_to
from support.serving import receive_all, receive_response

from wsgigroups.runtime.answerer.loop import ANSWER

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORGED = b"HTTP/1.1 200 OK\r\nX-Forged: yes\r\nContent-Length: 6\r\n\r\nforged"


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (OK + FORGED, 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + FORGED, 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n" + FORGED, 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n" + FORGED, 304, b""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000 + OK + FORGED, 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\nX: a\nX-Forged: yes\r\nContent-Length: 2\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\nX: a\rX-Forged: yes\r\nContent-Length: 2\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n X-Forged: yes\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 6\r\n\r\nforged", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 6\r\n\r\nforged", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, None),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\nok", 502, None),
        (b"HTTP/2 200\r\n\r\nok", 502, None),
        (b"Status: 200 OK\r\n\r\nok", 502, None),
        (b"HTTP/1.1 099 Low\r\n\r\n", 502, None),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", 502, None),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000, 502, None),
    ],
)  # fmt: skip
def test_two_readers_cannot_understand_an_answer_differently(sent: bytes, status: int, body: bytes | None) -> None:
    """Whatever comes behind an answer is nobody's: the next request on the client's connection has its own answer."""
    behaviours = iter([answering(sent), answering(OK)])
    with (
        FakeDaemon(lambda sock: next(behaviours)(sock)) as daemon,
        gateway(routes_to(daemon.link)) as front,
        front.connect() as sock,
    ):
        sock.sendall(b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = receive_head_and_body(sock, status)
        assert found == (status, body if body is not None else found[1])
        sock.sendall(b"GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        second = receive_all(sock)
        assert second.endswith(b"\r\n\r\nok")
        assert b"orged" not in second
        assert second.count(b"HTTP/1.1") == 1


def receive_head_and_body(sock: socket.socket, status: int) -> tuple[int, bytes]:
    """Read one answer; one without a body is its head alone."""
    if status not in (204, 304):
        found, fields, body = receive_response(sock)
        assert "x-forged" not in fields
        return found, body
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    assert data.endswith(b"\r\n\r\n")
    return int(data.split(b" ", 2)[1]), b""


def test_an_answer_before_the_request_was_read_and_one_after_its_time() -> None:
    late = threading.Event()

    def early(sock: socket.socket) -> None:
        sock.sendall(OK)
        read_packet(sock)

    def too_late(sock: socket.socket) -> None:
        read_packet(sock)
        late.wait(20)
        sock.sendall(FORGED)

    behaviours = iter([early, too_late, answering(OK)])
    with (
        FakeDaemon(lambda sock: next(behaviours)(sock)) as daemon,
        gateway(routes_to(replace(daemon.link, socket_timeout_s=0.2))) as front,
        front.connect() as sock,
    ):
        answers = []
        for _ in range(3):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answers.append(receive_response(sock)[0])
            late.set() if len(answers) == 2 else None
        assert answers == [200, 504, 200]


def test_no_answer_goes_to_another_request() -> None:
    """Eight connections with requests behind one another, and daemons of which some end too early or say too much."""

    def behave(sock: socket.socket) -> None:
        name = read_packet(sock)["PATH_INFO"].encode()
        number = int(name[1:].split(b"-")[1])
        if number % 7 == 3:
            return
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)
        sock.sendall(answer + (FORGED if number % 5 == 1 else b""))

    wrong: list[object] = []

    def ask(client: int) -> None:
        with front.connect() as sock:
            for number in range(100):
                name = b"/%d-%d" % (client, number)
                sock.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % name)
                status, _fields, body = receive_response(sock)
                if (status, body if status == 200 else name) != (502 if number % 7 == 3 else 200, name):
                    wrong.append((name, status, body))

    with FakeDaemon(behave) as daemon, gateway(routes_to(daemon.link)) as front:
        threads = [threading.Thread(target=ask, args=(client,)) for client in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [b"200"]),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", [b"200"]),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", [b"502"]),
    ],
)
def test_what_no_daemon_has_read_is_sent_once_more(request_: bytes, statuses: list[bytes]) -> None:
    behaviours = iter([lambda sock: select.select([sock], [], [], 20), answering(OK)])
    with FakeDaemon(lambda sock: next(behaviours)(sock)) as daemon, gateway(routes_to(daemon.link)) as front:
        assert [front.exchange(request_, end=False).split(b" ")[1]] == statuses
        assert daemon.accepted == (2 if statuses == [b"200"] else 1)


def test_what_a_daemon_has_read_is_never_sent_again_and_nothing_is_twice() -> None:
    with FakeDaemon(lambda sock: bool(read_packet(sock))) as daemon, gateway(routes_to(daemon.link)) as front:
        assert front.get().startswith(b"HTTP/1.1 502 ")
        assert daemon.accepted == 1
    with FakeDaemon(lambda sock: bool(sock.recv(9))) as daemon, gateway(routes_to(daemon.link)) as front:
        assert front.get().startswith(b"HTTP/1.1 502 ")
        assert daemon.accepted == 2


def test_who_waits_at_a_socket_that_is_closed_is_sent_to_the_next_one() -> None:
    with (
        FakeDaemon(answering(OK)) as daemon,
        socket.socket(socket.AF_UNIX) as before,
        gateway(routes_to(daemon.link)) as front,
        front.connect() as sock,
    ):
        os.rename(daemon.path, daemon.path + ".kept")
        before.bind(daemon.path)
        before.listen(8)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        front.wait(lambda: waiting_at(daemon.path) == 1)
        os.rename(daemon.path + ".kept", daemon.path)
        before.close()
        assert receive_response(sock)[2] == b"ok"


def waiting_at(path: str) -> int:
    """Return how many connections to a UNIX socket wait for somebody who accepts them."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(" " + path) and line.split()[5] == "02" for line in lines)


def test_who_refuses_for_a_group_has_the_page_of_the_site_given() -> None:
    pages = {503: "<h1>Closed</h1>"}
    with FakeDaemon(answering(ANSWER)) as daemon, gateway(routes_to(daemon.link, error_pages=pages)) as front:
        answer = front.get()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert answer.endswith(b"<h1>Closed</h1>")
        assert b"\r\nRetry-After: 5\r\n" in answer
    # an application's own is its own
    own = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"
    with FakeDaemon(answering(own)) as daemon, gateway(routes_to(daemon.link, error_pages=pages)) as front:
        assert front.get().endswith(b"\r\n\r\nbusy")


@pytest.mark.root
@pytest.mark.parametrize(("owner", "statuses"), [(65534, b"503"), (0, b"200")])
def test_another_user_who_listens_in_the_place_of_a_group_is_sent_nothing(owner: int, statuses: bytes) -> None:
    """The kernel says who has called listen(2), whoever owns the file and whoever accepts."""
    with FakeDaemon(answering(OK)) as daemon:
        os.unlink(daemon.path)
        os.chmod(os.path.dirname(daemon.path), 0o777)
        heard: list[bytes] = []
        parent, child = socket.socketpair()
        pid = os.fork()
        if not pid:
            try:
                os.setresuid(owner, owner, owner)
                squatter = socket.socket(socket.AF_UNIX)
                squatter.bind(daemon.path)
                squatter.listen(8)
                socket.send_fds(child, [b"x"], [squatter.fileno()])
            finally:
                os._exit(0)
        with parent, child, gateway(routes_to(replace(daemon.link, uids=(0,)))) as front:
            _data, fds, _flags, _address = socket.recv_fds(parent, 1, 1)
            os.waitpid(pid, 0)
            with socket.socket(fileno=fds[0]) as squatter:

                def accept() -> None:
                    sock, _address = squatter.accept()
                    with sock:
                        sock.settimeout(20)
                        heard.append(sock.recv(65536))
                        if heard[0]:
                            sock.sendall(OK)

                thread = threading.Thread(target=accept)
                thread.start()
                assert front.get().split(b" ")[1] == statuses
                thread.join()
            assert bool(heard[0]) == (statuses == b"200")
            assert heard[0] == b"" or struct.unpack_from("<BHB", heard[0])[1] == len(heard[0]) - 4
