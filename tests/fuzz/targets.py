"""What must hold for any bytes: no exception but ProtocolError, one verdict for every splitting and every engine.

Runs under atheris (`run.py`) and, with the kept corpus, under pytest. Raises AssertionError for a finding.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from support.feeding import PEER, converse, feed, new_connection
from support.serving import ENGINES

from wsgigroups.runtime.front.connection import IDLE
from wsgigroups.runtime.front.intake import Intake
from wsgigroups.runtime.protocol import uwsgi as uwsgi_packets
from wsgigroups.runtime.protocol.chunked import ChunkedDecoder
from wsgigroups.runtime.protocol.errors import ProtocolError

SLOW_S = 0.1  # of processor time for one input, instrumentation included


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Fail if this takes long: inputs have at most some thousand bytes."""
    before = time.process_time()
    yield
    taken_s = time.process_time() - before
    assert taken_s < SLOW_S, taken_s


def heads(data: bytes) -> None:
    """A stream from a stranger and from a trusted proxy, on a new connection and on one that remembers its fields."""
    for trusted in (False, True):
        with quick():
            whole = converse([data], "split", trusted)
        middle = len(data) // 2
        assert converse([data[:middle], data[middle:]], "split", trusted) == whole
        if len(data) < 300:
            assert converse([data[index : index + 1] for index in range(len(data))], "split", trusted) == whole
        assert converse([data], "httptools", trusted) == whole
        assert converse([data], "h11", trusted) == whole
        for found in whole:
            if isinstance(found, dict):
                assert_sound(found, trusted)
        intake = Intake(ENGINES["split"]())
        for _ in range(3):  # the third connection begins with what two have begun with
            assert converse([data], "split", trusted, intake=intake) == whole
        if data[:1] != b"\0":
            remembered(data, trusted, whole)


def remembered(data: bytes, trusted: bool, whole: list[Any]) -> None:
    """Check that what a connection has seen before, the same fields among it, changes nothing."""
    block = data.partition(b"\n")[2]
    end = block.find(b"\r\n\r\n")
    before = [b"GET /before HTTP/1.1\r\n" + block[: end + 4], b"PUT /%41?b HTTP/1.1\r\n" + block[: end + 4], data]
    for count in (1, 2, 3):
        connection = new_connection(trusted)
        for request in before[:count] * 2:
            found = converse([request], "split", trusted, connection)
            if len(found) != 2 or connection.state != IDLE or connection.data:
                return  # refused, not complete, more than one, or the last of its connection
        assert converse([data], "split", trusted, connection) == whole


def assert_sound(found: dict[str, Any], trusted: bool) -> None:
    """Check what an application may rely on in every environ."""
    assert found["PATH_INFO"].startswith("/") or found["REQUEST_URI"][:1] != "/"
    for key, value in found.items():
        if key.startswith(("HTTP_", "CONTENT_", "REQUEST_")):
            assert not set(value) & set("\r\n\0"), key
    assert "HTTP_PROXY" not in found
    assert trusted or not any(key.startswith("HTTP_X_FORWARDED") for key in found)
    assert trusted or found["REMOTE_ADDR"] == PEER


def chunks(data: bytes) -> None:
    """A chunked body."""
    found: list[Any] = []
    for size in (len(data) or 1, 1, 7):
        decoder = ChunkedDecoder()
        body = b""
        try:
            with quick():
                for start in range(0, len(data), size):
                    if decoder.complete:
                        break
                    body += decoder.feed(data[start : start + size])
            found.append((body, decoder.complete))
        except ProtocolError as error:
            found.append(error.status)
    assert found[0] == found[1] == found[2]


def uwsgi(data: bytes) -> None:
    """A packet, with the size that it has, from a stranger and from a gateway."""
    packet = b"\0" + min(len(data), 65535).to_bytes(2, "little") + b"\0" + data[:65535]
    for trusted in (False, True):
        with quick():
            whole = feed([packet], "split", trusted)
        assert feed([packet[:3], packet[3:]], "split", trusted) == whole
        try:
            found = uwsgi_packets.parse(packet, {"REMOTE_ADDR": PEER, "wsgi.url_scheme": "http"}, trusted).environ
        except ProtocolError:
            continue
        assert trusted or found["REMOTE_ADDR"] == PEER
        assert not any(key.startswith("UWSGI_") for key in found)
        decoded = ("PATH_INFO", "SCRIPT_NAME")  # there a line feed was %0A
        assert all("\n" not in value for key, value in found.items() if key not in decoded)


TARGETS: dict[str, Callable[[bytes], None]] = {"heads": heads, "chunks": chunks, "uwsgi": uwsgi}
