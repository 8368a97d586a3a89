"""The access log: one line for each answer, in three formats, that no client can forge."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from typing import Any

import pytest
from support.serving import serving
from unit.protocol import corpus

from wsgigroups.runtime.protocol.heads import Head
from wsgigroups.runtime.serving import access
from wsgigroups.runtime.serving.access import AccessLog

GET = b"GET /p%20q?a=b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\nUser-Agent: agent/1\r\nConnection: close\r\n\r\n"


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
    line, refused = lines_of(form, GET, b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n")
    tail = rb' "http://r/" "agent/1"' if form == "combined" else rb""
    stamp = rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    assert re.fullmatch(rb"127\.0\.0\.1 - - " + stamp + rb' "GET /p%20q\?a=b HTTP/1\.1" 200 \d+' + tail, line)
    assert b'" 501 ' in refused


def test_json() -> None:
    (line,) = lines_of("json", GET)
    record = json.loads(line)
    assert record["method"] == "GET"
    assert record["target"] == "/p%20q?a=b"
    assert record["status"] == 200
    assert record["user_agent"] == "agent/1"
    assert record["sent_bytes"] > 5
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


def test_equal_heads_are_noted_once_for_each_log() -> None:
    """A head is given out again for equal bytes; the format may change meanwhile, and who a proxy's client is."""
    common, combined = AccessLog("common", lambda _lines: None), AccessLog("combined", lambda _lines: None)
    head = head_of("::1", HTTP_USER_AGENT="agent/1")
    first = common.note(head)
    head.environ = {}
    assert common.note(head) is first
    head.environ = head_of("::1", HTTP_USER_AGENT="agent/2").environ
    assert "agent/2" in combined.note(head).end
    proxied = head_of("::1", HTTP_X_FORWARDED_FOR="::1, ::2")
    assert "::1" in common.note(proxied).before
    proxied.environ["REMOTE_ADDR"] = "::2"
    assert "::2" in common.note(proxied).before


@pytest.mark.parametrize("form", ["common", "json"])
@pytest.mark.parametrize("duration_ns", [0, 999, 1_000_000, 999_999_999, 1_000_000_000, 61_500_000_000])
def test_durations(form: str, duration_ns: int) -> None:
    written: list[bytes] = []
    log = AccessLog(form, written.append)
    log.record(log.note(head_of("::1")), 200, 5, duration_ns)
    assert not written
    log.flush()
    if form == "json":
        assert json.loads(written[0])["duration_s"] == duration_ns // 1000 / 1e6
    else:
        assert written[0].endswith(b'"GET / HTTP/1.1" 200 5\n')


def test_values_that_never_come_again_are_not_kept() -> None:
    log = AccessLog("combined", lambda _lines: None)
    for number in range(2000):
        log.record(log.note(head_of(str(number), HTTP_USER_AGENT="a" * number)), 200, 5, 0)
    log.flush()
    assert 0 < len(log._frames) <= 256
    assert max(len(frame.before + frame.between + frame.behind + frame.end) for frame in log._frames.values()) <= 1024


def test_clients_that_ask_for_the_same_share_what_is_noted_and_others_do_not() -> None:
    log = AccessLog("common", lambda _lines: None)

    def note(target: str, **more: str) -> access.Noted:
        return log.note(head_of("::1", **{"REQUEST_URI": target, **more}))

    assert note("/page") is note("/page")
    assert note("/page") is not note("/pages")
    assert note("/page") is not note("/page", REMOTE_USER="somebody")
    assert note("/page?1") is not note("/page?1")  # hardly comes again
    assert note("/" + "p" * 127) is note("/" + "p" * 127)
    assert note("/" + "p" * 128) is not note("/" + "p" * 128)
    quoted = note('/"')
    assert note('/"') is quoted
    assert quoted.request.count('\\"') == 1
    for number in range(100):
        note(f"/{number}")
    assert all(0 < len(frame.noted) <= access._TARGETS for frame in log._frames.values())


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_lines_of_one_batch_with_one_note_each_say_their_own(form: str) -> None:
    written: list[bytes] = []
    log = AccessLog(form, written.append)
    noted = log.note(head_of("::1"))
    answers = [(200, 5), (200, 5), (304, 5), (304, 0), (200, 0), (200, 5), (0, 5)]
    for status, sent_bytes in answers:
        log.record(noted, status, sent_bytes, 1000)
    log.flush()
    lines = b"".join(written).decode().splitlines()
    if form == "json":
        records = [json.loads(line) for line in lines]
        assert [(record["status"], record["sent_bytes"]) for record in records] == answers
    else:
        wanted = [f' "GET / HTTP/1.1" {status} {size}' for status, size in answers]
        assert [line.partition("]")[2].removesuffix(' "-" "-"') for line in lines] == wanted


@pytest.mark.parametrize("form", ["common", "combined"])
def test_an_equal_line_of_another_second_has_its_time(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    log = AccessLog(form, written.append)
    noted = log.note(head_of("::1"))
    for second in (1_700_000_000.9, 1_700_000_001.0, 1_700_000_001.1):
        with monkeypatch.context() as patch:
            patch.setattr(access.time, "time", lambda second=second: second)
            log.record(noted, 200, 5, 0)
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
        log.take((log.note(head_of("::1")).answered(200, 5), 2_500_000, end_ns))
    log.flush()
    for line, age_s in zip(b"".join(written).splitlines(), (0, 1.5, 3600), strict=True):
        record = json.loads(line)
        stamp = dt.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
        assert abs(stamp - (now_s - age_s)) < 0.5
        assert record["duration_s"] == 0.0025


def test_the_leader_makes_lines_and_does_not_write_them() -> None:
    written: list[bytes] = []
    log = AccessLog("common", written.append)
    environ = {"REQUEST_URI": "/", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1"}
    noted = log.note(Head("GET", "/", environ, True))

    def take(first: int, count: int) -> None:
        for number in range(first, first + count):
            log.record(noted, 200, number, 0)

    take(0, access._PREPARED - 1)
    log.prepare()
    assert len(log._waiting) == access._PREPARED - 1  # too few to be worth it
    take(access._PREPARED - 1, 1)
    with log._flushing:
        log.prepare()  # somebody writes just now, and may wait for a disk: the leader does not
        assert len(log._waiting) == access._PREPARED
    log.prepare()
    assert log._waiting == []
    assert written == []
    take(access._PREPARED, 3)
    log.flush()
    sizes = [int(line.rsplit(b" ", 1)[1]) for line in b"".join(written).splitlines()]
    assert sizes == list(range(access._PREPARED + 3))
    assert len(written) == 1


def test_lines_that_nobody_writes_are_written_by_the_leader_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_PREPARED", 1)
    monkeypatch.setattr(access, "_MOST_PREPARED", 3)
    written: list[bytes] = []
    log = AccessLog("common", written.append)
    noted = log.note(Head("GET", "/", {"REQUEST_URI": "/", "SERVER_PROTOCOL": "", "REMOTE_ADDR": ""}, True))
    for number in range(4):
        assert written == []
        log.record(noted, 200, number, 0)
        log.prepare()
    assert b"".join(written).count(b"\n") == 4


def test_durations_are_exact_whatever_they_are() -> None:
    written: list[bytes] = []
    log = AccessLog("json", written.append, clock=lambda: 0)
    noted = log.note(Head("GET", "/", {"REQUEST_URI": "/", "SERVER_PROTOCOL": "", "REMOTE_ADDR": ""}, True))
    durations_ns = [0, 999, 1000, 12_345_678, 999_999_000, 1_000_000_000, 61_000_001_000]
    for duration_ns in durations_ns:
        log.take((noted.answered(200, 1), duration_ns, duration_ns))
    log.flush()
    found = [json.loads(line) for line in b"".join(written).splitlines()]
    assert [record["duration_s"] for record in found] == [value // 1000 / 1e6 for value in durations_ns]
    times = [dt.datetime.fromisoformat(record["time"].rstrip("Z")) for record in found]
    for moment, duration_ns in zip(times[1:], durations_ns[1:], strict=True):  # each line has the time of its end
        assert abs((moment - times[0]).total_seconds() - duration_ns / 1e9) < 0.0011
