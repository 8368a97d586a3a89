"""What applications do that other servers take: subclasses of bytes, fields of the connection, streams' own ways."""

from __future__ import annotations

import socket
import sys
from typing import Any

import pytest
from support.serving import receive_response, serving

from wsgigroups.runtime.front.listener import Listener
from wsgigroups.runtime.protocol.forwarding import Trust

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"


class Marked(bytes):
    """A subclass whose methods lie about what it holds."""

    def __len__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return False


@pytest.mark.parametrize("way", ["one", "many", "write", "length"])
def test_a_subclass_of_bytes_is_sent(way: str) -> None:
    def application(_environ: Any, start_response: Any) -> Any:
        fields = [("Content-Length", "7")] if way == "length" else []
        write = start_response("200 OK", fields)
        if way == "write":
            write(Marked(b"<b>bold"))
            return []
        return iter([Marked(b"<b>"), b"bold"]) if way == "many" else [Marked(b"<b>bold")]

    with serving(application) as running, running.connect() as sock:
        for _ in range(2):
            sock.sendall(GET % b"")
            assert receive_response(sock)[2] == b"<b>bold"
    assert not running.logged


@pytest.mark.parametrize(
    "field",
    [
        ("Connection", "keep-alive"),
        ("connection", "X-Own"),
        ("Keep-Alive", "timeout=5"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
    ],
)
@pytest.mark.parametrize("with_length", [True, False])
def test_fields_of_the_connection_are_dropped_and_said_once(field: tuple[str, str], with_length: bool) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        environ["SCRIPT_NAME"] = environ["PATH_INFO"]
        start_response("200 OK", [field] + ([("Content-Length", "4")] if with_length else []))
        return [b"done"]

    with serving(application) as running, running.connect() as sock:
        for path in (b"a", b"a", b"b", b"a"):
            sock.sendall(GET % path)
            status, fields, body = receive_response(sock)
            assert (status, body) == (200, b"done")
            assert field[0].lower() not in fields
        warnings = [text for level, text in running.logged if level == "warning"]
    assert len(warnings) == 2
    assert f"the application at /a sets {field[0]}, which belongs to the server" in warnings[0]
    assert "/b sets" in warnings[1]


@pytest.mark.parametrize("value", ["close", "Close", "x, close"])
def test_close_is_heeded(value: str) -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Connection", value), ("Content-Length", "4")])
        return [b"done"]

    with serving(application) as running, running.connect() as sock:
        sock.sendall(GET % b"")
        status, fields, body = receive_response(sock)
        assert (status, fields["connection"], body) == (200, "close", b"done")
        assert sock.recv(1) == b""


def test_a_tab_in_a_value_arrives() -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Tab", "a\tb"), ("Content-Length", "0")])
        return []

    with serving(application) as running, running.connect() as sock:
        for _ in range(2):  # by the accelerator, too, once the status is known
            sock.sendall(GET % b"")
            assert receive_response(sock)[1]["x-tab"] == "a\tb"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([("X", "1"), ("Y", "2", "3")], "not ('Y', '2', '3')"),
        ([("X", "1"), None], "not None"),
        ([("X", "1"), 7], "not 7"),
    ],
)
def test_a_malformed_header_item_is_named(headers: Any, said: str) -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return []

    with serving(application) as running:
        assert running.exchange(GET % b"").startswith(b"HTTP/1.1 500 ")
        assert any(f"a header must be a tuple of name and value, {said}" in text for _level, text in running.logged)


@pytest.mark.parametrize("exc_info", [True, ValueError("x"), (ValueError, ValueError("x"))])
def test_an_exc_info_that_is_none_is_refused(exc_info: Any) -> None:
    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [], exc_info)
        return []

    with serving(application) as running:
        assert running.exchange(GET % b"").startswith(b"HTTP/1.1 500 ")
        assert any("exc_info must be a tuple" in text for _level, text in running.logged)


def test_streams_have_what_programs_ask_of_them() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        errors, body = environ["wsgi.errors"], environ["wsgi.input"]
        print("printed", file=errors)
        assert not errors.isatty()
        errors.buffer.write(b"bytes\n")
        errors.buffer.flush()
        with pytest.raises(OSError, match="descriptor"):
            errors.fileno()
        errors.close()
        errors.write("still open\n")
        body.read()
        body.close()
        start_response("200 OK", [("Content-Length", "4")], sys.exc_info() if sys.exc_info()[0] else None)
        return [b"done"]

    with serving(application) as running, running.connect() as sock:
        for head in (b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"):
            data = b"3\r\nabc\r\n0\r\n\r\n" if head.startswith(b"T") else b"abc" if head else b""
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + data)
            assert receive_response(sock)[2] == b"done"
        texts = [text for _level, text in running.logged]
    assert texts == ["wsgi.errors: printed", "wsgi.errors: bytes", "wsgi.errors: still open"] * 3


@pytest.mark.parametrize("bound", ["::1", "::"])
def test_the_name_of_a_server_at_an_ipv6_address(bound: str) -> None:
    with socket.socket(socket.AF_INET6) as listening, socket.socket(socket.AF_INET6) as client:
        listening.bind((bound, 0))
        listening.listen()
        client.connect(("::1", listening.getsockname()[1]))
        connection = Listener(listening, {}).accept(Trust([]))
        assert (connection.base["SERVER_NAME"], connection.base["REMOTE_ADDR"]) == ("[::1]", "::1")
        connection.sock.close()
