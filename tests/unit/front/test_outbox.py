"""Answers of one round leave together: in their order, in time, and never in the way of anything.

Most tests drive the poller themselves, as the leader would; no thread of the server runs then.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.serving import Clock, receive_all, receive_response, serving

from wsgigroups.runtime.calls import crew
from wsgigroups.runtime.calls.request_threads import RequestThread
from wsgigroups.runtime.front.connection import POSTED
from wsgigroups.runtime.front.poller import REPEATED
from wsgigroups.runtime.protocol import engines
from wsgigroups.runtime.records.tally import Tally
from wsgigroups.runtime.server import Server
from wsgigroups.runtime.wire.board import BUSY_WORD, WORD, private
from wsgigroups.runtime.wire.spec import Serving

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


class Driven:
    """A server whose poller the test drives."""

    def __init__(
        self, application: Any = None, clock: Clock | None = None, access: Any = None, **settings: Any
    ) -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.logged: list[tuple[str, str]] = []
        self.board = private(4)
        self.tally = Tally()
        more: dict[str, Any] = {} if clock is None else {"clock": clock}
        self.server = Server(
            settings=Serving(threads=4).tuned(settings),
            listeners=[self.listener],
            application=application or self.echo,
            board=self.board,
            log=lambda level, text: self.logged.append((level, text)),
            access_log=access,
            engine=engines.split,
            **more,
        )
        self.poller, self.caller, self.crew = self.server._poller, self.server._caller, self.server._crew
        self.server._listening.adjust(False)

    @staticmethod
    def echo(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode() * int(environ["QUERY_STRING"] or 1)]

    def connect(self) -> socket.socket:
        sock = socket.create_connection(self.listener.getsockname(), timeout=20)
        before = len(self.poller.connections)
        while len(self.poller.connections) == before:
            self.poller.wait()
        while self.poller.ready:
            self.poller.step()  # nothing is there yet: from here on epoll tells
        return sock

    def round(self, requests: int, brief: bool = True) -> None:
        """Answer what has come, as the inline leader does, until so many requests were answered."""
        while requests:
            if not self.poller.ready:
                self.poller.wait()
            while self.poller.ready:
                connection = self.poller.step()
                if connection is not None:
                    self.caller.answer(connection, self.crew._clock(), self.tally, brief)
                    if connection.answer:
                        connection.state = POSTED
                        self.poller.outbox.append(connection)
                    connection.owned = False
                    if connection.data:
                        self.poller.ready.append((connection, 0))
                    requests -= 1

    def publish(self) -> None:
        """Add to the board what has been answered, as the leader does after a round."""
        self.tally.publish(self.board.words)

    def word(self, name: str) -> int:
        """Return a word of the board."""
        return int(self.board.words[WORD[name]])

    def close(self) -> None:
        self.poller.shut()
        self.listener.close()
        self.board.close()


@pytest.fixture
def driven() -> Iterator[Driven]:
    found = Driven()
    yield found
    found.close()


def readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def test_answers_wait_for_each_other_and_leave_before_the_next_wait(driven: Driven) -> None:
    with driven.connect() as first, driven.connect() as second:
        first.sendall(GET % b"/1")
        second.sendall(GET % b"/2")
        driven.round(2)
        assert not readable(first)
        assert not readable(second)
        assert [connection.state for connection in driven.poller.outbox] == [POSTED, POSTED]
        driven.poller.send_outbox()
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
        driven.poller.send_outbox()
        data = b""
        while data.count(b"HTTP/1.1 200") < 5 or not data.endswith(b"/4"):
            data += sock.recv(65536)
        bodies = [part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 ")[1:]]
        assert bodies == [b"/0", b"/1", b"/2", b"/3", b"/4"]


def test_what_is_not_kept_or_not_whole_is_never_posted(driven: Driven) -> None:
    with driven.connect() as sock:
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        driven.round(1)
        assert not driven.poller.outbox
        assert receive_response(sock)[1]["connection"] == "close"
    driven.poller.stop()
    with driven.connect() as sock:
        sock.sendall(GET % b"/y")
        driven.round(1)
        assert not driven.poller.outbox
        assert receive_response(sock)[1]["connection"] == "close"


def test_a_client_that_left_costs_one_line_and_is_counted(driven: Driven) -> None:
    sock = driven.connect()
    sock.sendall(GET % b"/x")
    driven.round(1)
    connection = driven.poller.outbox[0]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()  # a reset
    driven.poller.send_outbox()
    assert [text.partition(": ")[0] for _level, text in driven.logged] == ["GET /x from 127.0.0.1"]
    assert driven.board.words[WORD["aborted"]] == 1
    assert connection.fd not in driven.poller.connections


def test_a_client_that_does_not_read_gets_the_rest_later(driven: Driven) -> None:
    with driven.connect() as sock:
        connection = next(iter(driven.poller.connections.values()))
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        expected = b"/" * 16000
        for _ in range(3):
            sock.sendall(GET % b"/?16000")
            driven.round(1)
            driven.poller.send_outbox()
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
    """A socket that notes with which flags it was sent to."""

    def __init__(self, sock: socket.socket, flags: list[int]) -> None:
        self._sock, self._flags = sock, flags

    def send(self, data: bytes, flags: int) -> int:
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
        (connection,) = driven.poller.connections.values()
        connection.sock = Recorded(connection.sock, flags)  # type: ignore[assignment]
        sock.sendall(request_text)
        driven.round(1, brief)
        assert receive_all(sock).startswith(b"HTTP/1.1 200 ")
        assert [bool(found & socket.MSG_MORE) for found in flags] == [with_end] * len(flags)
        assert flags


def test_no_answer_waits_long_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "BRIEF_ROW", 0)
    clock = Clock()
    seen: list[list[bool]] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append([readable(sock) for sock in socks])
        clock.advance(0.0006)
        start_response("200 OK", [])
        return [b"x"]

    driven = Driven(application, clock)
    with contextlib.ExitStack() as stack:
        stack.callback(driven.close)
        socks = [stack.enter_context(driven.connect()) for _ in range(4)]
        for sock in socks:
            sock.sendall(GET % b"/")
        driven.poller.wait()
        wait, rounds = driven.poller.wait, iter(range(100))

        def wait_or_end() -> None:
            if len(seen) == 4 or next(rounds) == 99:
                driven.crew._closing = True
            wait()

        monkeypatch.setattr(driven.poller, "wait", wait_or_end)
        driven.poller.wake()
        driven.crew._drive(RequestThread(0))
        assert len(seen) == 4
        # When the third call begins, 1.2 ms have passed since answers left last; when the fourth does, 0.6 ms.
        assert [sum(flags) for flags in seen] == [0, 0, 2, 2]
        assert [receive_response(sock)[0] for sock in socks] == [200] * 4


def test_a_call_that_blocks_keeps_no_answer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "BRIEF_ROW", 0)
    arrived, gate = threading.Event(), threading.Event()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            arrived.set()
            assert gate.wait(20)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    with serving(application) as running, contextlib.ExitStack() as stack:
        stack.callback(gate.set)
        poller = running.server._poller
        quick, blocked, other = (stack.enter_context(running.connect()) for _ in range(3))
        running.wait(lambda: sum(item.watched for item in poller.connections.copy().values()) == 3)
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
        driven.poller.send_outbox()
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
        driven.crew._closing = True  # ends the lead
        return Driven.echo(environ, start_response)

    driven = Driven(application)
    with driven.connect() as sock:
        sock.sendall(GET % b"/")
        while not driven.poller.ready:
            driven.poller.wait()
        driven.poller.send_by_ns = 1 << 62
        driven.crew._drive(RequestThread(0))
        assert receive_response(sock)[0] == 200
    assert seen[0] > 0
    assert driven.board.words[BUSY_WORD] == 0
    driven.close()


def test_a_request_that_is_looked_at_after_its_call_began_has_not_waited(driven: Driven) -> None:
    me = RequestThread(0)
    with driven.connect():
        (connection,) = driven.poller.connections.values()
        for arrived_ns, waited_ns in ((10, 0), (8, 1), (9, 1)):
            connection.arrived_ns = arrived_ns
            me.waited(connection, 9)
            assert (me.tally.queue_ns, connection.arrived_ns) == (waited_ns, 0)


class Ticking(Clock):
    """A clock that passes whenever it is looked at."""

    def __call__(self) -> int:
        self.advance(1e-6)
        return self.now_ns


def test_a_known_call_begins_when_the_one_before_has_ended_and_others_when_they_do() -> None:
    calls: list[tuple[int, int]] = []
    driven = Driven(clock=Ticking())
    answer = driven.caller.answer

    def noting(connection: Any, start_ns: int, *rest: Any) -> int:
        calls.append((start_ns, answer(connection, start_ns, *rest)))
        driven.crew._closing = len(calls) == 5  # ends the lead
        return calls[-1][1]

    with contextlib.ExitStack() as stack:
        stack.callback(driven.close)
        socks = [stack.enter_context(driven.connect()) for _ in range(4)]
        for sock in 3 * socks:
            sock.sendall(GET % b"/known")
            driven.round(1)
            driven.poller.send_outbox()
            assert receive_response(sock)[0] == 200
        driven.caller.answer = noting  # type: ignore[method-assign]
        for sock, path in zip(socks, (b"/known", b"/known", b"/new", b"/known"), strict=True):
            sock.sendall(GET % path)
        while len(driven.poller.ready) < 4:
            driven.poller.wait()
        driven.poller.ready.append(driven.poller.ready.popleft())  # whatever comes first, it is not known since when
        known = [flags == REPEATED for _connection, flags in driven.poller.ready]
        wait, later = driven.poller.wait, iter([socks[0].sendall])

        def wait_for_another() -> None:
            for send in later:
                send(GET % b"/known")
            wait()

        driven.poller.wait = wait_for_another  # type: ignore[method-assign]
        driven.crew._drive(RequestThread(0))
        for sock in socks[1:]:
            assert receive_response(sock)[0] == 200
    follows = [after[0] == before[1] for before, after in itertools.pairwise(calls)]
    assert follows == [*known[1:], False]  # before the last one, the leader has waited
    assert sorted(known) == [False, True, True, True]


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
