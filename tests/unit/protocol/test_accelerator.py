"""The accelerator: it takes what is plain, to what the others come to, and leaves all else to them."""

from __future__ import annotations

import contextlib
import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from support import corpora, corpus
from support.feeding import accelerated, ways

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.protocol import heads
from wsgigroups.runtime.protocol.limits import DEFAULT, Limits
from wsgigroups.runtime.protocol.names import TRUSTED, UNTRUSTED
from wsgigroups.runtime.protocol.preparing import FieldTooLargeError, Preparer

HOST = b"Host: example.com\r\n"
GET = b"GET / HTTP/1.1"
BROWSER = (
    b"Host: 127.0.0.1:8000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:120.0)\r\nAccept: text/html,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nConnection: keep-alive\r\nCookie: session=1; theme=dark\r\nX-Request-Id: 7\r\n"
)
TAKEN = [
    (GET, HOST),
    (b"GET /items/7/view?page=2&sort=name HTTP/1.1", BROWSER),
    (b"GET /a%20b%zz%4 HTTP/1.1", HOST),
    (b"GET /%?x=%41?y HTTP/1.1", HOST),
    (b"GET /? HTTP/1.1", HOST),
    (b"HEAD / HTTP/1.1", HOST),
    (b"POST / HTTP/1.1", HOST + b"Content-Length: 0012\r\nContent-Type: text/plain\r\n"),
    (b"PUT / HTTP/1.1", HOST + b"Content-Length: 999999999999999999\r\n"),
    (b"VERSION-CONTROL / HTTP/1.1", HOST),
    (b"GET / HTTP/1.0", b""),
    (b"GET / HTTP/1.0", b"connection: Keep-Alive\r\n"),
    (b"GET / HTTP/1.9", HOST + b"Connection: CLOSE\r\n"),
    (GET, b"HOST:\t example.com:  \r\n"),
    (GET, HOST + b"X-Empty:\r\nX-Blank: \t \r\nX-Latin: a\tb\xe9\xff\r\n"),
    (GET, HOST + b"Proxy: x\r\nX_Y: 1\r\nX-Y: 2\r\nX-Forwarded-For: 1.2.3.4\r\n"),
    (GET, HOST + b"X-Real-Ip: 1\r\nX-Real-IP: 2\r\n"),
]
LEFT = [
    (b"CONNECT / HTTP/1.1", HOST),
    (b"PRI / HTTP/1.1", HOST),
    (b"OPTIONS * HTTP/1.1", HOST),
    (b"GET http://example.com/ HTTP/1.1", HOST),
    (b"GET /#x HTTP/1.1", HOST),
    (b"GET /\xe9 HTTP/1.1", HOST),
    (b"GET  / HTTP/1.1", HOST),
    (b"GET / HTTP/2.0", HOST),
    (b"GET / HTTP/1.10", HOST),
    (b"GET /", HOST),
    (b"GET /%41" + b"a" * 2100 + b" HTTP/1.1", HOST),
    (GET, b""),
    (GET, b"Host: [::1]\r\n"),
    (GET, b"Host: a:123456\r\n"),
    (GET, b"Host: a b\r\n"),
    (GET, HOST + HOST),
    (GET, HOST + b"Accept: a\r\naccept: b\r\n"),
    (GET, HOST + b"Transfer-Encoding: chunked\r\n"),
    (GET, HOST + b"Expect: 100-continue\r\n"),
    (GET, HOST + b"Connection: Upgrade\r\n"),
    (GET, HOST + b"Content-Length: 1000000000000000000\r\n"),
    (GET, HOST + b"Content-Length: -1\r\n"),
    (GET, HOST + b"Content-Length:\r\n"),
    (GET, HOST + b" folded: x\r\n"),
    (GET, HOST + b"no colon\r\n"),
    (GET, HOST + b"X : 1\r\n"),
    (GET, HOST + b": 1\r\n"),
    (GET, HOST + b"X: \0\r\n"),
    (GET, HOST + b"X: \x7f\r\n"),
    (GET, HOST + b"X: a\rb\r\n"),
    (GET, HOST + b"X: a\nb\r\n"),
    (GET, HOST + b"x" * 63 + b": long\r\n"),
]


@pytest.fixture(scope="module")
def extension() -> Any:
    """Give the extension, whether or not it is in use."""
    found = accelerator.load()
    if found is None:
        pytest.skip("no accelerator has been built")
    return found


def preparer_with(extension: Any, limit: int = 0) -> Preparer:
    """Return a preparer that uses the extension, or goes without."""
    preparer = Preparer(limit)
    preparer.use(extension)
    return preparer


def head_of(line: bytes, fields: bytes) -> bytes:
    """Return a head."""
    return line + b"\r\n" + fields + b"\r\n"


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(("line", "fields"), TAKEN)
def test_plain_heads_are_taken(extension: Any, line: bytes, fields: bytes, trusted: bool) -> None:
    for _ in range(2):  # names that are new, and names that are known
        found = ways(head_of(line, fields), trusted)
        if trusted and fields.count(b"X-Real"):  # a field that comes twice there, and is dropped else
            assert len(found) == 3
        else:
            assert len(found) == 4
        assert found[1:] == found[:1] * len(found[1:])


@pytest.mark.parametrize(("line", "fields"), LEFT)
def test_all_others_are_left_to_python(extension: Any, line: bytes, fields: bytes) -> None:
    found = ways(head_of(line, fields))
    assert len(found) == 3
    assert found[1:] == found[:1] * 2


def test_public_corpora(extension: Any) -> None:
    known = [*corpora.gunicorn("valid"), *corpora.gunicorn("invalid"), *((a, b) for a, b, _c in corpora.llhttp())]
    taken = 0
    for name, data in known:
        for trusted in (False, True):
            found = ways(data, trusted)
            assert found[1:] == found[:1] * len(found[1:]), name
            taken += len(found) == 4
    assert taken > 20


def test_limits_are_those_of_python(extension: Any) -> None:
    limits = Limits(request_line_bytes=64, field_bytes=80, fields=3)
    read = heads.readers(extension)[0]
    for count in range(6):
        for size in range(0, 60, 5):
            data = head_of(GET, HOST + b"".join(b"X-%d: %b\r\n" % (n, b"a" * size) for n in range(count)))
            found = read(data, {}, limits.short_bytes, limits.fields)
            if found is not None:
                assert vars(found) == vars(heads.plainly(data, {}, UNTRUSTED, limits))
            else:
                assert len(data) > limits.short_bytes or count + 1 > limits.fields


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"GET", GET + b"\r", GET + b"\r\n", GET + b"\r\nHost: a\r\n"])
def test_a_head_that_is_none_is_left(extension: Any, data: bytes) -> None:
    assert accelerated(data, {}, UNTRUSTED, DEFAULT) is None
    assert accelerated(head_of(GET, HOST) + b"x", {}, UNTRUSTED, DEFAULT) is None


def test_names_that_fall_together_stay_apart(extension: Any) -> None:
    """Far more names than are remembered, each several times."""
    for _ in range(3):
        for number in range(1500):
            fields = HOST + b"X-%d: a\r\nx-%d: b\r\n" % (number, number + 7)
            found = ways(head_of(GET, fields))
            assert len(found) == 4
            assert found[1:] == found[:1] * 3


def test_wrong_arguments_are_errors(extension: Any) -> None:
    read, _ = heads.readers(extension)
    for arguments in ((), (b"",), ("text", {}, 1, 1), (b"", {}, "1", 1), (b"", {}, 1, None), (b"", {}, 1 << 80, 1)):
        with pytest.raises((TypeError, OverflowError)):
            read(*arguments)
    assert read(head_of(GET, HOST), [], 8000, 100) is None
    with pytest.raises(TypeError):
        read(head_of(GET, HOST), {}, 8000, 100, key=1)
    with pytest.raises(TypeError):
        extension.Reader(object, UNTRUSTED.of)
    with pytest.raises(TypeError):
        extension.Reader(heads.Head)
    with pytest.raises(TypeError):
        extension.Writer(1, {}, {}, 1, 1)
    with pytest.raises(ZeroDivisionError):  # an error while a name is looked up is nobody's verdict
        extension.Reader(heads.Head, lambda _name: 1 // 0)(head_of(GET, HOST), {}, 8000, 100)
    with pytest.raises(TypeError):
        extension.Reader(heads.Head, lambda _name: 1)(head_of(GET, HOST), {}, 8000, 100)


def growth_bytes(once: Callable[[], None], times: int) -> int:
    """Return by how much memory grows while this is done so many times; tables are full before."""
    for _ in range(20):
        once()
    gc.collect()
    tracemalloc.start()
    try:
        once()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            once()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_nothing_is_left_behind(extension: Any) -> None:
    read, _ = heads.readers(extension)
    preparer = preparer_with(extension, 200)
    samples = [head_of(line, fields) for line, fields in [*TAKEN, *LEFT]]
    answers = [[("X-A", "1"), ("Content-Length", "5")], [("X-A", "\n")], [("X-A", "\u1234")], [("A", "b" * 300)]]

    def once() -> None:
        for data in samples:
            read(data, {"A": "b"}, 8000, 100)
        for fields in answers:
            with contextlib.suppress(ValueError, FieldTooLargeError):
                preparer.prepare("200 OK", fields)
        extension.Reader(heads.Head, TRUSTED.of)
        preparer_with(extension)

    assert growth_bytes(once, 300) < 5000


def test_names_are_forgotten(extension: Any) -> None:
    numbers = itertools.count()
    read = extension.Reader(heads.Head, lambda name: "HTTP_HOST" if name == "Host" else "HTTP_" + name)

    def once() -> None:
        for _ in range(100):
            assert read(head_of(GET, HOST + b"X-%d: 1\r\n" % next(numbers)), {}, 8000, 100)

    assert growth_bytes(once, 100) < 200_000  # 10,000 names that were kept would take three times that


def outcome(preparer: Preparer, status: Any, fields: Any) -> Any:
    """Return what a preparer makes of an answer, as something to compare."""
    try:
        found = preparer.prepare(status, fields)
    except Exception as error:
        return type(error), str(error)
    return found.code, b"".join(found.lines), found.length, found.own


class Text(str):
    """A str that is not one alone."""

    __slots__ = ()


VALUES = ["", "text/html", "a\tb", "a\r\nb", "\0", "\x7f", "\x80", "\xff", "\u0100", "\U0001f600", "\udc80", "x" * 90,
          "x" * 2000, Text("sub"), 7, None, b"bytes", "12", "0", "-1",
          "1" * 14, "1" * 15, "1" * 16, "1" * 30, "\u0661"]  # fmt: skip
NAMES = ["X-A", "Content-Type", "Content-Length", "content-length", "Date", "Server", "Connection", "TE", "", "a b",
         "X\n", "\xe9", "x" * 100, Text("X-Sub"), Text("Content-Length"), 7, b"X"]  # fmt: skip
STATUSES = ["200 OK", "204 No Content", "304 Not Modified", "100 Continue", "200", "200 \xe9", "200 \u0100",
            "200 a\r\nb", Text("200 OK"), b"200 OK", 200, None, "200 " + "x" * 300, "200 " + "x" * 3000]  # fmt: skip


@pytest.mark.parametrize("limit", [0, 60])
def test_answers_come_to_the_same(extension: Any, limit: int) -> None:
    with_it, without = preparer_with(extension, limit), preparer_with(None, limit)
    shapes: list[Any] = [[(name, value)] for name in NAMES for value in VALUES]
    shapes += [[("Content-Length", "1"), (name, "2")] for name in NAMES]
    shapes += [[("X-A", "1"), ["X-A", "2"]], [("X-A",)], [("X-A", "1", "2")], [1], (), None, "ab", ["ab"], []]
    shapes += [[("X-A", "y" * 900)] * 5, [("X-A", "1")] * 300]
    for _ in range(2):
        for status in STATUSES:
            for fields in shapes if isinstance(status, str) and status[:3] in ("200", "204") else shapes[:5]:
                assert outcome(with_it, status, fields) == outcome(without, status, fields), (status, fields)


def test_it_can_be_gone_without(extension: Any) -> None:
    assert accelerator.choose({}) is extension
    assert accelerator.choose({"WSGIGROUPS_ACCELERATOR": "1"}) is extension
    assert accelerator.choose({"WSGIGROUPS_ACCELERATOR": "0"}) is None


def test_corpus_is_taken_where_it_is_plain(extension: Any) -> None:
    """So that a head which everybody sends does not go the other way unnoticed."""
    assert accelerated(corpus.get(), {}, UNTRUSTED, DEFAULT) is not None
