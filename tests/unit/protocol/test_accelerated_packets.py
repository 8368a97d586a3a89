"""The accelerator's reader of packets: it takes what our own gateway sends, to what Python makes of it, and no more."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.gateway.packets import packet
from wsgigroups.runtime.protocol import heads, uwsgi
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT, Limits

BASE = {"wsgi.url_scheme": "http", "REQUEST_SCHEME": "http", "SCRIPT_NAME": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "REMOTE_ADDR": ""}  # fmt: skip
USUAL = {
    "WSGIGROUPS_FRAMING": "chunked",
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/api/a%20b?c=d",
    "QUERY_STRING": "c=d",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SCRIPT_NAME": "/api",
    "PATH_INFO": "/a b",
    "CONTENT_TYPE": "",
    "CONTENT_LENGTH": "",
    "SERVER_NAME": "www.example.org",
    "SERVER_PORT": "80",
    "SERVER_ADDR": "192.0.2.1",
    "REMOTE_ADDR": "203.0.113.9",
    "REMOTE_PORT": "40000",
    "REQUEST_SCHEME": "http",
    "REQUEST_ID": "made",
    "WSGIGROUPS_QUEUE_START": "1800000000000000",
    "WSGIGROUPS_APPLICATION": "blog.wsgi:application",
    "HTTP_HOST": "www.example.org:80",
    "HTTP_X_FORWARDED_FOR": "203.0.113.9",
    "HTTP_COOKIE": "a=b",
    "HTTP_X_OWN": "a\tb\xe9",
}
NEEDED = ("WSGIGROUPS_FRAMING", "REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SERVER_PROTOCOL", "SCRIPT_NAME",
          "PATH_INFO", "REQUEST_SCHEME", "HTTP_HOST")  # fmt: skip
TAKEN: list[dict[str, str]] = [
    {},
    {"REQUEST_METHOD": "HEAD"},
    {"REQUEST_METHOD": "M-SEARCH"},
    {"PATH_INFO": ""},
    {"SCRIPT_NAME": ""},
    {"PATH_INFO": "/\xff"},
    {"QUERY_STRING": ""},
    {"CONTENT_LENGTH": "5", "CONTENT_TYPE": "text/plain"},
    {"CONTENT_LENGTH": "000000000000000005"},
    {"REQUEST_SCHEME": "https"},
    {"HTTPS": "on"},
    {"REQUEST_SCHEME": "https", "HTTPS": "on"},
    {"HTTP_HOST": "a_b"},
    {"REMOTE_USER": "somebody", "AUTH_TYPE": "Basic", "SSL_PROTOCOL": "TLSv1.3"},
]
LEFT: list[dict[str, str | None]] = [
    *(dict.fromkeys([name]) for name in NEEDED),
    {"SCRIPT_NAME": "", "PATH_INFO": ""},
    {"PATH_INFO": "a"},
    {"SCRIPT_NAME": "a"},
    {"PATH_INFO": "/\n"},
    {"REQUEST_METHOD": ""},
    {"REQUEST_METHOD": "PRI"},
    {"REQUEST_METHOD": "CONNECT"},
    {"REQUEST_METHOD": "G T"},
    {"REQUEST_URI": ""},
    {"REQUEST_URI": "*", "REQUEST_METHOD": "OPTIONS"},
    {"REQUEST_URI": "http://a/b"},
    {"REQUEST_URI": "/#"},
    {"REQUEST_URI": "/\xe9"},
    {"SERVER_PROTOCOL": "HTTP/1.0"},
    {"SERVER_PROTOCOL": "HTTP/2"},
    {"SERVER_PROTOCOL": "x"},
    {"WSGIGROUPS_FRAMING": "none"},
    {"WSGIGROUPS_BODY": "chunked"},
    {"WSGIGROUPS_CLIENT_FIELDS": "1"},
    {"REQUEST_SCHEME": "ftp"},
    {"HTTPS": "1"},
    {"HTTPS": ""},
    {"CONTENT_LENGTH": "-1"},
    {"CONTENT_LENGTH": "1" * 19},
    {"HTTP_HOST": ""},
    {"HTTP_HOST": "a b"},
    {"HTTP_HOST": "[::1]"},
    {"HTTP_EXPECT": "100-continue"},
    {"HTTP_EXPECT": "x"},
    {"HTTP_CONNECTION": "close"},
    {"HTTP_TRANSFER_ENCODING": "chunked"},
    {"HTTP_CONTENT_LENGTH": "1"},
    {"HTTP_CONTENT_TYPE": "1"},
    {"HTTP_PROXY": "x"},
    {"UWSGI_FILE": "x"},
    {"X_OTHER": "x"},
    {"HTTP_lower": "x"},
    {"": "x"},
    {"HTTP_X": "\0"},
    {"HTTP_X": "\x7f"},
    {"HTTP_" + "X" * 60: "long"},
    {"HTTP_X": "x" * 8000},
]


@pytest.fixture(scope="module")
def read() -> Any:
    """Give the accelerator's reader, whether or not it is in use."""
    extension = accelerator.load()
    if extension is None:
        pytest.skip("no accelerator has been built")
    return uwsgi.reader(extension)


def outcome(of: Any) -> Any:
    """Return what a way makes of a packet, as something to compare."""
    try:
        head = of()
    except ProtocolError as error:
        return error.status, error.reason
    if head is None:
        return None
    names = ("method", "target", "environ", "is_http_1_1", "keep_alive", "length", "chunked", "expects", "ordinary")
    assert type(head) is heads.Head
    return {name: getattr(head, name) for name in names}


def both(read: Any, data: bytes, limits: Limits = DEFAULT) -> tuple[Any, Any]:
    """Return what the accelerator makes of a packet, and Python."""
    return (
        outcome(lambda: read(data, BASE, limits.short_bytes, limits.fields)),
        outcome(lambda: uwsgi.exactly(data, BASE, True, limits)),
    )


def changed(changes: dict[str, Any]) -> bytes:
    """Return the usual packet with some variables changed, added or, where they are None, left out."""
    return packet([(name, value) for name, value in {**USUAL, **changes}.items() if value is not None])


@pytest.mark.parametrize("changes", TAKEN)
def test_what_our_gateway_sends_is_taken(read: Any, changes: dict[str, str]) -> None:
    for _ in range(2):  # names that are new, and names that are known
        found, wanted = both(read, changed(changes))
        assert found == wanted
        assert isinstance(found, dict)


@pytest.mark.parametrize("changes", LEFT)
def test_all_others_are_left_to_python(read: Any, changes: dict[str, str | None]) -> None:
    found, wanted = both(read, changed(changes))
    assert found is None
    assert wanted is not None


@pytest.mark.parametrize("name", [*USUAL, "REMOTE_USER", "SSL_PROTOCOL"])
def test_what_comes_twice_is_left_to_python(read: Any, name: str) -> None:
    pairs = [*USUAL.items(), (name, USUAL.get(name, "x")), (name, USUAL.get(name, "x"))]
    assert both(read, packet(pairs))[0] is None


def test_limits_are_those_of_python(read: Any) -> None:
    size, count = len(changed({})), len(USUAL)
    for short, fields in ((size, count), (size - 1, count), (size, count - 1)):
        found = read(changed({}), BASE, short, fields)
        assert (found is not None) == (short == size and fields == count)


def test_packets_cut_anywhere_are_left(read: Any) -> None:
    data = changed({})
    whole = both(read, data)[1]
    for end in range(len(data)):
        found, wanted = both(read, data[:end])
        assert found is None or found == wanted != whole


@given(st.dictionaries(
    st.one_of(st.sampled_from(sorted(USUAL)), st.text("ABHTP_X1", max_size=8)),
    st.one_of(st.sampled_from(sorted(USUAL.values())), st.text(st.characters(max_codepoint=255), max_size=20)),
    max_size=4,
))  # fmt: skip
def test_any_change_comes_to_the_same(changes: dict[str, str]) -> None:
    extension = accelerator.load()
    if extension is None:
        return
    found, wanted = both(uwsgi.reader(extension), changed(changes))
    assert found is None or found == wanted


@given(st.randoms(use_true_random=False))
def test_damaged_packets_come_to_the_same(chance: random.Random) -> None:
    extension = accelerator.load()
    if extension is None:
        return
    read, data = uwsgi.reader(extension), bytearray(changed({}))
    for _ in range(chance.randint(1, 3)):
        data[chance.randrange(4, len(data))] = chance.choice((0, 1, 10, 32, 47, 65, 255, chance.randrange(256)))
    found, wanted = both(read, bytes(data))
    assert found is None or found == wanted


def test_wrong_arguments_are_errors(read: Any) -> None:
    wrong: list[tuple[Any, ...]] = [(), (b"",), ("text", {}, 1, 1), (b"", [], 1, 1), (b"", {}, "1", 1)]
    for arguments in [*wrong, (b"", {}, 1 << 80, 1)]:
        with pytest.raises((TypeError, OverflowError)):
            read(*arguments)
    with pytest.raises(TypeError):
        read(changed({}), BASE, 8000, 100, key=1)
