"""What must hold for any bytes: no exception but ProtocolError, one verdict for every splitting and every engine.

Runs under atheris (`run.py`) and, with the kept corpus, under pytest. Raises AssertionError for a finding.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from unit.protocol.test_verdicts import feed

from wsgigroups.runtime.protocol import uwsgi as uwsgi_packets
from wsgigroups.runtime.protocol.chunked import ChunkedDecoder
from wsgigroups.runtime.protocol.errors import ProtocolError

SLOW_S = 0.5  # of processor time; a hundred milliseconds without instrumentation


def heads(data: bytes) -> None:
    """A stream from a stranger."""
    before = time.process_time()
    whole = feed([data], "split")
    assert time.process_time() - before < SLOW_S
    middle = len(data) // 2
    assert feed([data[:middle], data[middle:]], "split") == whole
    if len(data) < 300:
        assert feed([data[index : index + 1] for index in range(len(data))], "split") == whole
    assert feed([data], "httptools") == whole
    assert feed([data], "h11") == whole
    if isinstance(whole, dict):
        assert_sound(whole)


def assert_sound(found: dict[str, Any]) -> None:
    """Check what an application may rely on in every environ."""
    assert found["PATH_INFO"].startswith("/") or found["REQUEST_URI"][:1] != "/"
    for key, value in found.items():
        if key.startswith(("HTTP_", "CONTENT_", "REQUEST_")):
            assert not set(value) & set("\r\n\0"), key
    assert "HTTP_PROXY" not in found
    assert not any(key.startswith("HTTP_X_FORWARDED") for key in found)


def chunks(data: bytes) -> None:
    """A chunked body."""
    found: list[Any] = []
    for size in (len(data) or 1, 1, 7):
        decoder = ChunkedDecoder()
        body = b""
        try:
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
        try:
            found = uwsgi_packets.parse(packet, {"REMOTE_ADDR": "9.9.9.9", "wsgi.url_scheme": "http"}, trusted).environ
        except ProtocolError:
            continue
        assert trusted or found["REMOTE_ADDR"] == "9.9.9.9"
        assert not any(key.startswith("UWSGI_") for key in found)
        assert all("\n" not in value for value in found.values() if isinstance(value, str))
    whole = feed([packet], "split")
    assert feed([packet[:3], packet[3:]], "split") == whole


TARGETS: dict[str, Callable[[bytes], None]] = {"heads": heads, "chunks": chunks, "uwsgi": uwsgi}
