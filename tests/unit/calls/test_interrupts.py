"""RequestTimeout comes up in the application's code, once, and nowhere else.

Applications spin at a flag that the test holds; the test's own thread takes the part of the daemon's main thread.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from support.serving import Running, receive_all, receive_response, serving

from wsgigroups.runtime import server
from wsgigroups.runtime.calls import interrupts
from wsgigroups.runtime.calls.interrupts import Interrupts
from wsgigroups.runtime.wire.board import BUSY_WORD
from wsgigroups.runtime.wsgi.files import FileWrapper
from wsgigroups.runtime.wsgi.interrupted import RequestTimeout

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
ROOT = "wsgigroups.runtime"


class Spinning:
    """An application: /spin goes round in Python until it is interrupted or let go; what else it does, by path."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.ended: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/spin":
            self.spin()
        elif path == "/keep":
            try:
                self.spin()
            except RequestTimeout:
                self.ended.append("kept")
        elif path == "/except":
            try:
                self.spin()
            except Exception:
                self.ended.append("kept")
        elif path in ("/iter", "/close"):
            start_response("200 OK", [("Content-Length", str(len(path)))])
            return Lazy(self, path)
        elif path == "/begun":
            start_response("200 OK", [("Content-Length", "10")])
            return self.blocks()
        elif path == "/late":
            return self.late(start_response)
        start_response("200 OK", [("Content-Length", str(len(path)))])
        return [path.encode()]

    def spin(self) -> None:
        self.arrived.release()
        rounds = 0
        while not self.go_on.is_set():
            rounds += 1

    def blocks(self) -> Iterator[bytes]:
        try:
            yield b"12345"
            self.spin()
            yield b"67890"
        finally:
            self.ended.append("closed")

    def late(self, start_response: Any) -> Iterator[bytes]:
        self.spin()
        start_response("200 OK", [])
        yield b"late"


class Lazy:
    """What it returns for /iter and /close: it spins in the method of that name."""

    def __init__(self, gate: Spinning, path: str) -> None:
        self._gate = gate
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        if self._path == "/iter":
            self._gate.spin()
        return iter([self._path.encode()])

    def close(self) -> None:
        self._gate.ended.append("closes")
        if self._path == "/close":
            self._gate.spin()
        self._gate.ended.append("closed")


def interrupt(running: Running, gate: Spinning) -> None:
    """Wait until a request spins, and interrupt it as soon as that can be done."""
    assert gate.arrived.acquire(timeout=20)
    words = running.board.words

    def tried() -> bool:
        return any(running.server.interrupt(n, words[BUSY_WORD + n]) for n in range(4) if words[BUSY_WORD + n])

    running.wait(tried, lambda: "nothing could be interrupted")


def test_an_interrupted_request_gets_504_and_nobody_else_notices() -> None:
    gate = Spinning()
    with serving(gate, threads=4, interruptible=True) as running, running.connect() as sock, running.connect() as other:
        for _ in range(2):  # its thread and its connection serve on
            sock.sendall(GET % b"/spin")
            interrupt(running, gate)
            assert receive_response(sock)[0] == 504
            other.sendall(GET % b"/quick")
            assert receive_response(other)[2] == b"/quick"
        sock.sendall(GET % b"/after")
        assert receive_response(sock)[2] == b"/after"
        running.wait_word("status_5xx", 2)
        running.wait_word("requests_active", 0)
        warnings = [text for level, text in running.logged if level == "warning"]
    assert len([text for text in warnings if "it ran for longer than request-timeout" in text]) == 2
    told = [text for text in warnings if text.startswith("request-timeout: GET /spin for ")]
    assert len(told) == 2
    assert all("in spin" in text and re.search(r"for \d+\.\d s is interrupted\n", text) for text in told)
    assert not [text for level, text in running.logged if level == "error"]


@pytest.mark.parametrize(
    ("path", "expected", "ended"),
    [
        (b"/keep", b"/keep", ["kept"]),
        (b"/except", b"Gateway Timeout\n", []),
        (b"/late", b"Gateway Timeout\n", []),
        (b"/iter", b"Gateway Timeout\n", ["closes", "closed"]),
        (b"/close", b"/close", ["closes"]),
    ],
)
def test_an_application_may_keep_it_or_iterate_when_it_comes(path: bytes, expected: bytes, ended: list[str]) -> None:
    gate = Spinning()
    with serving(gate, threads=4, interruptible=True) as running, running.connect() as sock:
        sock.sendall(GET % path)
        interrupt(running, gate)
        assert receive_response(sock)[2] == expected
        sock.sendall(GET % b"/after")
        assert receive_response(sock)[2] == b"/after"
    assert gate.ended == ended


def test_an_answer_that_has_begun_breaks_off_visibly_and_its_iterable_is_closed() -> None:
    gate = Spinning()
    with serving(gate, threads=4, interruptible=True) as running:
        with running.connect() as sock:
            sock.sendall(GET % b"/begun")
            interrupt(running, gate)
            assert receive_all(sock).partition(b"\r\n\r\n")[2] == b"12345"
        running.wait(lambda: gate.ended == ["closed"])
        running.wait_word("aborted", 1)
        assert running.exchange(GET % b"/after").endswith(b"/after")


def test_only_the_request_that_was_meant_is_interrupted_and_only_once() -> None:
    gate = Spinning()
    with serving(gate, threads=4, interruptible=True) as running, running.connect() as sock:
        sock.sendall(GET % b"/keep")
        assert gate.arrived.acquire(timeout=20)
        running.wait_word("requests_active", 1)
        words = running.board.words
        (number,) = [number for number in range(4) if words[BUSY_WORD + number]]
        since_ns = words[BUSY_WORD + number]
        for thread, since in ((number, since_ns - 1), (number, 0), (number + 1, since_ns), (99, since_ns), (-1, 5)):
            assert not running.server.interrupt(thread, since)
        gate.go_on.set()
        assert receive_response(sock)[2] == b"/keep"
        assert gate.ended == []
        running.wait_word("requests_active", 0)
        assert not running.server.interrupt(number, since_ns)
        request_of = running.server.crew.threads.request_of
        count = len(running.server.crew.threads.all)
        words[BUSY_WORD - 1] = words[BUSY_WORD + count] = words[BUSY_WORD + number] = 5
        assert [request_of(n, 5)[0] > 0 for n in (-1, count, number)] == [False, False, True]
        assert request_of(number, 4)[0] == 0
        words[BUSY_WORD + number] = 0
        assert request_of(number, 0)[0] == 0


def test_whether_requests_can_be_interrupted_is_switched_while_it_runs() -> None:
    gate = Spinning()
    with serving(gate, threads=4) as running, running.connect() as sock:
        assert running.server.caller.application is gate  # which costs nothing
        for wanted in (True, False, True):
            running.server.tune({"interruptible": wanted})
            assert (running.server.caller.application is gate) == (not wanted)
        sock.sendall(GET % b"/spin")
        interrupt(running, gate)
        assert receive_response(sock)[0] == 504


def test_without_a_gil_nothing_is_interrupted_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "threads_compete", lambda: False)
    gate = Spinning()
    with serving(gate, interruptible=True) as running:
        assert running.server.caller.application is gate
        assert ("notice", "requests are not interrupted on an interpreter without a GIL") in running.logged


def stack_of(*calls: tuple[str, str]) -> Callable[[], bool]:
    """Return the first of these functions, module and name, each of which calls the next; the last looks."""

    def function() -> bool:
        return interrupts.is_in_application(sys._getframe(1))

    for module, name in reversed(calls):
        scope: dict[str, Any] = {"__name__": module, "inner": function}
        exec(f"def {name}():\n    return inner()", scope)
        function = scope[name]
    return function


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("app", "view")], True),
        ([("app", "view"), ("threading", "wait")], True),
        ([(ROOT + "_like.app", "view")], True),
        ([(ROOT + ".daemon.applications", "__call__"), ("app", "view")], True),
        ([(ROOT + ".daemon.applications", "__call__")], False),  # it may be at a lock of its own
        ([(ROOT + ".daemon.applications", "__call__"), (ROOT + ".daemon.target", "load"), ("app", "module")], False),
        ([("app", "view"), (ROOT + ".wsgi.exchange", "start_response")], False),
        ([("app", "view"), (ROOT + ".wsgi.exchange", "__call__"), ("contextlib", "__exit__")], False),
        ([("app", "view"), (ROOT + ".wsgi.bodies", "read"), ("selectors", "select")], False),
        ([("app", "view"), (ROOT + ".protocol.responses", "prepare"), ("re", "fullmatch")], False),
    ],
)
def test_where_it_may_be_raised(calls: list[tuple[str, str]], expected: bool) -> None:
    assert interrupts.guarded(interrupts.Door(threading.get_ident()), stack_of(*calls)) is expected


def test_outside_of_the_call_it_may_not_be_raised() -> None:
    assert not stack_of(("app", "view"))()
    looks: list[bool] = []

    class Door(interrupts.Door):
        def leave(self) -> None:
            frame = sys._getframe(1)  # `guarded` on its own
            looks.append(interrupts.is_in_application(frame))
            super().leave()

    interrupts.guarded(Door(threading.get_ident()), stack_of(("app", "view")))
    assert looks == [False]


def test_a_thread_that_is_not_known_or_has_left_is_not_interrupted() -> None:
    doors = Interrupts()
    own = threading.get_ident()
    assert doors.interrupt(own, lambda: True) == ""
    assert doors.wrap(lambda _environ, _start: [b""])({}, None) == [b""]
    assert doors.interrupt(own, lambda: True) == ""


@pytest.mark.parametrize("why_not", ["another request", "not in the application's code"])
def test_it_can_be_interrupted_later_where_it_could_not_be_just_now(
    why_not: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors, gate = Interrupts(), Spinning()
    raised = []

    def request_thread() -> None:
        try:
            doors.wrap(gate)({"PATH_INFO": "/spin"}, None)
        except RequestTimeout:
            raised.append(1)

    thread = threading.Thread(target=request_thread)
    thread.start()
    assert gate.arrived.acquire(timeout=20)
    assert thread.ident is not None
    with monkeypatch.context() as patched:
        if why_not != "another request":
            patched.setattr(interrupts, "is_in_application", lambda _frame: False)
        assert doors.interrupt(thread.ident, lambda: why_not != "another request") == ""
    stack = doors.interrupt(thread.ident, lambda: True)
    gate.go_on.set()
    thread.join()
    assert "in spin" in stack
    assert raised == [1]


def test_who_leaves_waits_until_the_main_thread_has_made_up_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    door = interrupts.Door(7)
    calls: list[object] = []
    monkeypatch.setattr(interrupts, "take_back", calls.append)

    def meanwhile(*mind: Any) -> None:
        def sleep(_s: float) -> None:
            calls.append("waits")
            mind[0].append(None)

        door.enter()
        door.token.pop()
        monkeypatch.setattr(interrupts, "time", SimpleNamespace(sleep=sleep))
        door.leave()
        assert (door.inside, list(door.token), list(door.raised)) == (False, [], [])

    meanwhile(door.token)  # it does not raise
    assert calls == ["waits"]
    meanwhile(door.raised)
    assert calls == ["waits", "waits", 7]


def test_what_has_ended_is_answered_although_it_was_to_be_interrupted() -> None:
    class Late(interrupts.Door):
        """The main thread has raised, and that comes up after the call."""

        def leave(self) -> None:
            if not self.raised:
                self.token.pop()
                self.raised.append(None)
                raise RequestTimeout
            super().leave()

    door = Late(threading.get_ident())
    assert interrupts.guarded(door, lambda: 5) == 5
    assert (door.inside, list(door.token), list(door.raised)) == (False, [], [])
    with pytest.raises(RequestTimeout):
        interrupts.guarded(door, lambda: 1 / 0)


def test_what_has_not_come_up_is_taken_back() -> None:
    door = interrupts.Door(threading.get_ident())
    taken = threading.Event()

    def main_thread() -> None:
        door.token.pop()
        taken.set()
        interrupts.raise_in(door.ident, RequestTimeout)
        door.raised.append(None)

    def call() -> int:
        other.start()
        assert taken.wait(20)
        return 5

    for _ in range(50):
        other = threading.Thread(target=main_thread)
        taken.clear()
        came = 0
        try:
            assert interrupts.guarded(door, call) == 5
        except RequestTimeout:
            came = 1
        for _round in range(100):  # where it would come up, had it not been taken back
            came += 0
        other.join()
        assert (door.inside, list(door.token), list(door.raised)) == (False, [], [])


def test_it_never_comes_up_outside_of_the_application_however_often_it_is_raised() -> None:
    doors, done = Interrupts(), threading.Event()
    counts = {"called": 0, "interrupted": 0, "outside": 0}

    def application(_environ: Any, _start: Any) -> Iterator[bytes]:
        for _round in range(30):
            pass
        return iter([b"a", b"b"])

    def request_thread() -> None:
        call = doors.wrap(application)
        hung_s = time.monotonic() + 60
        while counts["called"] < 4000 or (counts["interrupted"] < 20 and time.monotonic() < hung_s):
            try:
                counts["called"] += 1
                try:
                    for _block in call({}, None):
                        pass
                except RequestTimeout:
                    counts["interrupted"] += 1
                for _round in range(30):
                    pass
            except RequestTimeout:
                counts["outside"] += 1
        done.set()

    switch = sys.getswitchinterval()
    sys.setswitchinterval(0.00005)
    try:
        thread = threading.Thread(target=request_thread)
        thread.start()
        assert thread.ident is not None
        while not done.is_set():
            doors.interrupt(thread.ident, lambda: True)
        thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert counts["outside"] == 0
    assert counts["interrupted"] >= 20


def test_what_needs_no_iteration_is_passed_on_as_it_is() -> None:
    doors = Interrupts()
    for result in ([b"a"], (b"a",), b"a", "a", FileWrapper(None)):
        assert doors.wrap(lambda _environ, _start, result=result: result)({}, None) is result


def test_close_is_passed_on_where_there_is_one() -> None:
    closed = []

    class Closing:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a"])

        def close(self) -> None:
            closed.append(1)

    doors = Interrupts()
    result = doors.wrap(lambda _environ, _start: Closing())({}, None)
    assert list(result) == [b"a"]
    result.close()
    assert closed == [1]
    doors.wrap(lambda _environ, _start: iter([]))({}, None).close()
