"""What must hold for any bytes: no exception but ProtocolError, one verdict for every splitting and on all ways.

Runs under atheris (`run.py`) and, with the kept corpus, under pytest. Raises AssertionError for a finding.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from support.feeding import PEER, converse, feed, ways

from wsgigroups.runtime.protocol import uwsgi as uwsgi_packets
from wsgigroups.runtime.protocol.chunked import ChunkedDecoder
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT

SLOW_S = 0.1  # of processor time for one input, instrumentation included


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Fail if this takes long: inputs have at most some thousand bytes."""
    before = time.process_time()
    yield
    taken_s = time.process_time() - before
    assert taken_s < SLOW_S, taken_s


def heads(data: bytes) -> None:
    """A stream from a stranger and from a trusted proxy."""
    for trusted in (False, True):
        with quick():
            whole = converse([data], trusted)
        middle = len(data) // 2
        assert converse([data[:middle], data[middle:]], trusted) == whole
        if len(data) < 300:
            assert converse([data[index : index + 1] for index in range(len(data))], trusted) == whole
        assert converse([data], trusted) == whole  # nothing that was remembered changes anything
        for found in whole:
            if isinstance(found, dict):
                assert_sound(found, trusted)
        found = ways(data, trusted)
        assert found[1:] == found[:1] * len(found[1:])


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
            whole = feed([packet], trusted)
        assert feed([packet[:3], packet[3:]], trusted) == whole
        try:
            found = uwsgi_packets.parse(
                packet, {"REMOTE_ADDR": PEER, "wsgi.url_scheme": "http"}, trusted, DEFAULT
            ).environ
        except ProtocolError:
            continue
        assert trusted or found["REMOTE_ADDR"] == PEER
        assert not any(key.startswith("UWSGI_") for key in found)
        decoded = ("PATH_INFO", "SCRIPT_NAME")  # there a line feed was %0A
        assert all("\n" not in value for key, value in found.items() if key not in decoded)


TARGETS: dict[str, Callable[[bytes], None]] = {"heads": heads, "chunks": chunks, "uwsgi": uwsgi}
