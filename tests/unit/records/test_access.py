"""The access log: one line for each answer, in three formats, that no client can forge."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import corpus
from support.driven import Driven
from support.serving import Clock, serving

from wsgigroups.runtime import originals
from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.records import access
from wsgigroups.runtime.records.access import PREPARED, AccessLog

GET = b"GET /p%20q?a=b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\nUser-Agent: agent/1\r\nConnection: close\r\n\r\n"


def _size(text: str | bytes) -> int:
    """Read a number of a line; "-" is none."""
    return 0 if text in ("-", b"-") else int(text)


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Answer five bytes."""
    start_response("200 OK", [])
    return [b"12345"]


def lines_of(form: str, *requests: bytes, app: Any = application, **settings: Any) -> list[bytes]:
    """Serve the requests and return the log's lines."""
    written: list[bytes] = []
    with serving(app, access=written.append, access_log=form, **settings) as running:
        for request in requests:
            running.exchange(request)
    data = b"".join(written)
    assert data.endswith(b"\n")
    return data.splitlines()


@pytest.mark.parametrize("form", ["common", "combined"])
def test_apache_formats(form: str) -> None:
    line, refused = lines_of(form, GET, b"PRI / HTTP/1.1\r\nHost: h\r\n\r\n")
    tail = rb' "http://r/" "agent/1"' if form == "combined" else rb""
    stamp = rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    assert re.fullmatch(rb"127\.0\.0\.1 - - " + stamp + rb' "GET /p%20q\?a=b HTTP/1\.1" 200 \d+' + tail, line)
    assert b'" 501 ' in refused


@pytest.mark.parametrize("form", ["common", "combined", "json"])
@pytest.mark.parametrize("way", ["length", "chunked", "none", "many", "fails"])
def test_the_size_is_that_of_the_body(form: str, way: str) -> None:
    def sized(_environ: Any, start_response: Any) -> Any:
        if way == "fails":
            raise ValueError(way)
        start_response("200 OK", [("Content-Length", "14")] if way == "length" else [])
        return [] if way == "none" else iter([b"1234567", b"b" * 70_000]) if way == "many" else iter([b"b" * 14])

    wanted = {"length": 14, "chunked": 14, "none": 0, "many": 70_007, "fails": len("Internal Server Error\n")}[way]
    for line in lines_of(form, GET, GET.replace(b"GET", b"HEAD"), app=sized):
        size = wanted if b"GET" in line else 0
        if form == "json":
            assert json.loads(line)["sent_bytes"] == size
        else:
            assert line.split(b'"')[2].split()[1] == (b"%d" % size if size else b"-")


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_the_user_is_whom_the_application_finds(form: str) -> None:
    def knows(environ: Any, start_response: Any) -> list[bytes]:
        environ["REMOTE_USER"] = 'bob"\n'
        start_response("200 OK", [("Content-Length", "0")])
        return []

    (line,) = lines_of(form, GET, app=knows)
    if form == "json":
        assert json.loads(line)["remote_user"] == 'bob"\n'
    else:
        assert b' - bob\\"\\x0a [' in line


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
    ],
)
def test_a_refused_request_has_a_line(request_: bytes, status: int) -> None:
    (line,) = lines_of("common", request_)
    found, size = line.split(b'"')[2].split()
    assert int(found) == status
    assert 0 < int(size) < 50  # a word


def test_json() -> None:
    (line,) = lines_of("json", GET)
    record = json.loads(line)
    assert record["method"] == "GET"
    assert record["target"] == "/p%20q?a=b"
    assert record["status"] == 200
    assert record["user_agent"] == "agent/1"
    assert record["sent_bytes"] == 5
    assert record["duration_s"] >= 0
    assert record["time"].endswith("Z")


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_nothing_can_be_forged(form: str) -> None:
    evil = b'x" 200 1\\\t\xff\xe4\x85'
    (line,) = lines_of(
        form, b'GET /"\\ HTTP/1.1\r\nHost: h\r\nReferer: ' + evil + b"\r\nUser-Agent: " + evil + b"\r\n\r\n"
    )
    text = line.decode("ascii")
    assert text.isprintable()
    if form == "json":
        record = json.loads(text)
        assert record["user_agent"] == evil.decode("latin-1")
        assert record["target"] == '/"\\'
    else:
        unescaped = re.sub(r"\\.", "", text)
        assert unescaped.count('"') == (6 if form == "combined" else 2)


def test_off_writes_nothing() -> None:
    written: list[bytes] = []
    with serving(application, access=written.append, access_log="off") as running:
        running.exchange(GET)
    assert written == []


def test_lines_come_without_further_requests() -> None:
    written: list[bytes] = []
    with serving(application, access=written.append, access_log="common") as running:
        running.exchange(GET)
        running.wait(lambda: bool(written))


def test_a_gateway_forges_no_line_either() -> None:
    """What a trusted peer says of the client is its client's word at best."""
    evil = '1.1.1.1" 200 9\\\t\xff'
    packet = corpus.uwsgi(("REMOTE_ADDR", evil), ("REMOTE_USER", evil))
    for form in ("common", "combined", "json"):
        (line,) = lines_of(form, packet, trusted_proxies=("127.0.0.1",))
        text = line.decode("ascii")
        assert text.isprintable()
        if form == "json":
            assert json.loads(text)["remote_addr"] == json.loads(text)["remote_user"] == evil
        else:
            assert text.startswith('1.1.1.1\\" 200 9\\\\\\x09\\xff - 1.1.1.1\\" ')


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_a_line_tells_what_was_asked_whatever_the_application_makes_of_the_environ(form: str) -> None:
    def changing(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/clear":
            environ.clear()
        else:
            environ.update(REMOTE_ADDR=7, REMOTE_USER=b"joe", REQUEST_URI=None, HTTP_USER_AGENT=["a"], HTTP_REFERER=1)
        start_response("200 OK", [])
        return [b"12345"]

    requests = [GET.replace(b"/p%20q?a=b", path) for path in (b"/clear", b"/change")]
    for line, path in zip(lines_of(form, *requests, app=changing), ("/clear", "/change"), strict=True):
        text = line.decode()
        assert "127.0.0.1" in text
        assert (json.loads(text)["target"] if form == "json" else text.split(" ")[6]) == path
        assert form == "common" or "agent/1" in text


def head_of(address: str, **more: str) -> Head:
    """Return a request's head."""
    environ = {"REQUEST_URI": "/", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": address, **more}
    return Head("GET", "/", environ, True)


@pytest.mark.parametrize("form", ["common", "json"])
@pytest.mark.parametrize("duration_ns", [0, 999, 1_000_000, 999_999_999, 1_000_000_000, 61_500_000_000])
def test_durations(form: str, duration_ns: int) -> None:
    written: list[bytes] = []
    log = AccessLog(form, written.append)
    log.record(log.ask(head_of("::1")), 200, 5, duration_ns)
    assert not written
    log.flush()
    if form == "json":
        assert json.loads(written[0])["duration_s"] == duration_ns // 1000 / 1e6
    else:
        assert written[0].endswith(b'"GET / HTTP/1.1" 200 5\n')


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_lines_of_one_batch_with_one_note_each_say_their_own(form: str) -> None:
    written: list[bytes] = []
    log = AccessLog(form, written.append)
    asked = log.ask(head_of("::1"))
    answers = [(200, 5), (200, 5), (304, 5), (304, 0), (200, 0), (200, 5), (0, 5)]
    for status, sent_bytes in answers:
        log.record(asked, status, sent_bytes, 1000)
    log.flush()
    lines = b"".join(written).decode().splitlines()
    if form == "json":
        records = [json.loads(line) for line in lines]
        assert [(record["status"], record["sent_bytes"]) for record in records] == answers
    else:
        wanted = [f' "GET / HTTP/1.1" {status} {size or "-"}' for status, size in answers]
        assert [line.partition("]")[2].removesuffix(' "-" "-"') for line in lines] == wanted


@pytest.mark.parametrize("form", ["common", "combined"])
def test_an_equal_line_of_another_second_has_its_time(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    clock = Clock()
    monkeypatch.setattr(originals.time, "time_ns", lambda: 1_700_000_000_900_000_000 + clock() - 10**15)
    log = AccessLog(form, written.append, clock)
    asked = log.ask(head_of("::1"))
    for advance_s in (0.0, 0.1, 0.1):
        clock.advance(advance_s)
        log.record(asked, 200, 5, 0)
        log.flush()
    times = [line.partition(b"[")[2][:20].decode() for line in written]
    assert times == ["14/Nov/2023:22:13:20", "14/Nov/2023:22:13:21", "14/Nov/2023:22:13:21"]


def test_the_time_of_a_line_is_that_of_its_end() -> None:
    """However long it waits in a batch."""
    written: list[bytes] = []
    log = AccessLog("json", written.append, time.monotonic_ns)
    now_ns, now_s = time.monotonic_ns(), time.time()
    for age_s in (0, 1.5, 3600):
        end_ns = now_ns - int(age_s * 1e9)
        log.answered(log.ask(head_of("::1")), 200, 5, 2_500_000, end_ns)
    log.flush()
    for line, age_s in zip(b"".join(written).splitlines(), (0, 1.5, 3600), strict=True):
        record = json.loads(line)
        stamp = dt.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
        assert abs(stamp - (now_s - age_s)) < 0.5
        assert record["duration_s"] == 0.0025


@pytest.mark.parametrize("form", ["common", "json"])
def test_the_leader_makes_lines_and_does_not_write_them(form: str) -> None:
    written: list[bytes] = []
    more = [PREPARED]

    def write(data: bytes) -> None:
        """Write while as much has come as the leader would make lines of: it may be a disk that is waited for."""
        written.append(data)
        if more:
            take(PREPARED + 1, more.pop())
            log.prepare()
            assert len(log) == PREPARED  # the leader makes none while somebody writes

    log = AccessLog(form, write, lambda: 0)
    environ = {"REQUEST_URI": "/", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1"}
    asked = log.ask(Head("GET", "/", environ, True))

    def take(first: int, count: int) -> None:
        for number in range(first, first + count):
            log.answered(asked, 200, number, 0, 0)

    take(0, PREPARED - 1)
    log.prepare()
    assert len(log) == PREPARED - 1  # too few to be worth it
    take(PREPARED - 1, 1)
    log.prepare()
    assert len(log) == 0
    take(PREPARED, 1)
    assert written == []
    log.flush()
    log.prepare()
    assert len(log) == 0
    assert len(written) == 1
    log.flush()
    assert len(written) == 2
    lines = b"".join(written).splitlines()
    sizes = [json.loads(line)["sent_bytes"] if form == "json" else _size(line.rsplit(b" ", 1)[1]) for line in lines]
    assert sizes == list(range(2 * PREPARED + 1))


def test_lines_that_nobody_writes_are_written_by_the_leader_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "PREPARED", 1)
    monkeypatch.setattr(access, "MOST_PREPARED", 3)
    written: list[bytes] = []
    log = AccessLog("common", written.append)
    asked = log.ask(Head("GET", "/", {"REQUEST_URI": "/", "SERVER_PROTOCOL": "", "REMOTE_ADDR": ""}, True))
    for number in range(4):
        assert written == []
        log.record(asked, 200, number, 0)
        log.prepare()
    assert b"".join(written).count(b"\n") == 4


def test_durations_are_exact_whatever_they_are() -> None:
    written: list[bytes] = []
    log = AccessLog("json", written.append, clock=lambda: 0)
    asked = log.ask(Head("GET", "/", {"REQUEST_URI": "/", "SERVER_PROTOCOL": "", "REMOTE_ADDR": ""}, True))
    durations_ns = [0, 999, 1000, 12_345_678, 999_999_000, 1_000_000_000, 61_000_001_000]
    for duration_ns in durations_ns:
        log.answered(asked, 200, 1, duration_ns, duration_ns)
    log.flush()
    found = [json.loads(line) for line in b"".join(written).splitlines()]
    assert [record["duration_s"] for record in found] == [value // 1000 / 1e6 for value in durations_ns]
    times = [dt.datetime.fromisoformat(record["time"].rstrip("Z")) for record in found]
    for moment, duration_ns in zip(times[1:], durations_ns[1:], strict=True):  # each line has the time of its end
        assert abs((moment - times[0]).total_seconds() - duration_ns / 1e9) < 0.0011


@contextlib.contextmanager
def driven(form: str, app: Any, clock: Clock | None = None) -> Iterator[tuple[Any, Callable[[], list[str]], Driven]]:
    """Yield a function that asks, so often, with one connection for all, one that returns the lines, and the server."""
    written: list[bytes] = []
    server = Driven(app, clock, written.append, access_log=form)
    sock = server.connect()

    def ask(count: int = 1, method: bytes = b"GET", brief: bool = True) -> list[int]:
        sizes = []
        for _ in range(count):
            sock.sendall(method + b" /same HTTP/1.1\r\nHost: a\r\n\r\n")
            server.round(1, brief)
            server.publish()
            server.poller.outbox.send()
            sizes.append(len(sock.recv(65536)))
        return sizes

    def lines() -> list[str]:
        server.caller.access.flush()
        return b"".join(written).decode().splitlines()

    try:
        with sock:
            yield ask, lines, server
    finally:
        server.close()


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_equal_requests_with_answers_that_differ_have_lines_that_do(form: str) -> None:
    """Answers that leave together have lines that are made once: only of equal answers."""
    status, body, fields, ask_with = "200 OK", b"", [("X", "y")], b"GET"

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, fields)
        return [body]

    wanted: list[tuple[int, int]] = []
    with driven(form, application) as (ask, lines, _server):
        for status, body, with_length, ask_with in [
            ("200 OK", b"12345", True, b"GET"),
            ("404 Not Found", b"12345", True, b"GET"),
            ("200 OK", b"1234567", True, b"GET"),
            ("200 OK", b"1234567", False, b"GET"),
            ("200 OK", b"123", False, b"GET"),
            ("200 OK", b"12345", True, b"HEAD"),
            ("200 OK", b"b" * 20_000, True, b"GET"),
            ("200 OK", b"12345", True, b"GET"),
        ]:
            fields = [("X", "y")]
            if with_length:
                fields.append(("Content-Length", str(len(body))))
            ask(4, ask_with)
            wanted += [(int(status[:3]), 0 if ask_with == b"HEAD" else len(body))] * 4
        found = lines()
    if form == "json":
        assert [(record["status"], record["sent_bytes"]) for record in map(json.loads, found)] == wanted
    else:
        assert [tuple(map(_size, line.split('"')[2].split())) for line in found] == wanted


def answering_five(_environ: Any, start_response: Any) -> list[bytes]:
    """As `application`, and with its length."""
    start_response("200 OK", [("Content-Length", "5")])
    return [b"12345"]


@pytest.mark.parametrize("form", ["common", "combined"])
def test_answers_of_another_second_have_its_time(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(originals.time, "time_ns", lambda: 1_700_000_000 * 10**9 + clock() - 10**15)
    with driven(form, answering_five, clock) as (ask, lines, _server):
        for _ in range(3):
            ask(3)
            clock.advance(1.0)
        found = lines()
    assert [line.split("[")[1][18:20] for line in found] == ["20"] * 3 + ["21"] * 3 + ["22"] * 3


@pytest.mark.parametrize("brief", [True, False])
def test_each_answer_has_its_own_time_and_duration(monkeypatch: pytest.MonkeyPatch, brief: bool) -> None:
    clock = Clock()
    micros = [0, 1, 1, 999, 1000, 300, 300, 300, 300, 61_500_000, 2]
    ends_ns: list[int] = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        clock.now_ns += micros[len(ends_ns)] * 1000
        ends_ns.append(originals.time.time_ns())
        start_response("200 OK", [("Content-Length", "5")])
        return [b"12345"]

    monkeypatch.setattr(originals.time, "time_ns", lambda: 1_700_000_000 * 10**9 + 123_456_789 + clock())
    with driven("json", application, clock) as (ask, lines, _server):
        ask(len(micros), brief=brief)
        found = [json.loads(line) for line in lines()]
    assert [record["duration_s"] for record in found] == [number / 1e6 for number in micros]
    moments = [dt.datetime.fromtimestamp(end_ns // 10**6 / 1000, dt.timezone.utc) for end_ns in ends_ns]
    assert [record["time"] for record in found] == [
        f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z" for moment in moments
    ]
    assert len(set(moments)) > 3


def test_a_call_that_was_long_while_another_thread_answered_the_same_has_its_duration() -> None:
    clock = Clock()
    with driven("json", answering_five, clock) as (ask, lines, server):
        ask(2)
        server.crew.clock = lambda: clock() - 2_000_000  # began before those
        ask()
        found = [json.loads(line)["duration_s"] for line in lines()]
    assert found == [0.0, 0.0, 0.002]


@pytest.mark.parametrize("form", ["combined", "json", "off"])
def test_a_head_that_comes_again_after_the_log_was_switched_is_asked_for_the_new_one(form: str) -> None:
    with driven("common", answering_five) as (ask, lines, server):
        ask(3)
        server.server.tune({"access_log": form})
        ask(3)
        server.server.tune({"access_log": "common"})
        ask(3)
        kinds = ["json" if line[0] == "{" else "combined" if line.endswith('"') else "common" for line in lines()]
    assert kinds == ["common"] * 3 + [form] * (0 if form == "off" else 3) + ["common"] * 3


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_who_only_records_has_lines_written_at_last(form: str) -> None:
    written: list[bytes] = []
    log = AccessLog(form, written.append)
    asked = log.ask(head_of("\u0151"))  # not from our parsers, and no reason to lose a request
    for number in range(access._BATCH):
        assert not written
        log.record(asked, 200, number, 0)
    (data,) = written
    assert data.count(b"\n") == data.count(b"\\u0151") == access._BATCH


@pytest.mark.parametrize("form", ["common", "combined", "json"])
@pytest.mark.parametrize(
    "evil", ['"', "\\", "\n", "\r\n127.0.0.1 - - [", "\x7f", "\xe9", "\u0151", "null", '":null,"', "%s %d"]
)
def test_a_value_that_has_to_be_escaped_changes_no_other_line(form: str, evil: str) -> None:
    """Lines are looked at as a whole, many at a time."""

    def lines_of(heads: list[Head]) -> list[bytes]:
        written: list[bytes] = []
        log = AccessLog(form, written.append, lambda: 0)
        for head in heads:
            log.answered(log.ask(head), 200, 5, 1_234_567, 0)
        log.flush()
        return b"".join(written).splitlines(keepends=True)

    clean = [head_of(f"::{number}", HTTP_USER_AGENT=f"agent/{number}") for number in range(5)]
    dirty = [
        head_of("::a", HTTP_USER_AGENT=evil, HTTP_REFERER=evil),
        head_of("::b", REMOTE_USER=evil),
        head_of("::c", REQUEST_URI=evil),
        head_of(evil),
    ]
    mixed = [*clean[:2], *dirty, *clean[2:]]
    found = lines_of(mixed)
    assert len(found) == len(mixed)
    stamp = re.compile(rb"\[[^]]*\]" if form != "json" else rb'"time":"[^"]*"')
    alone = [stamp.sub(b"", lines_of([head])[0]) for head in mixed]
    assert [stamp.sub(b"", line) for line in found] == alone
    for line in found:
        text = line.decode("ascii")
        assert text.endswith("\n")
        assert text[:-1].isprintable()
    if form == "json":
        records = [json.loads(line) for line in found]
        asked = [head.environ for head in mixed]
        assert [record["remote_addr"] for record in records] == [environ["REMOTE_ADDR"] for environ in asked]
        assert [record["target"] for record in records] == [environ["REQUEST_URI"] for environ in asked]
        for key, name in (
            ("user_agent", "HTTP_USER_AGENT"),
            ("referer", "HTTP_REFERER"),
            ("remote_user", "REMOTE_USER"),
        ):
            values = [record[key] for record in records]
            assert [value or "" for value in values] == [environ.get(name, "") for environ in asked]
