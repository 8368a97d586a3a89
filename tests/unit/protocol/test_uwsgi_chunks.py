"""A body in chunks behind a uwsgi packet: our own gateway sends one whose length nobody knows."""

from __future__ import annotations

from support import corpus
from support.feeding import feed

PACKET = [
    ("REQUEST_METHOD", "POST"),
    ("REQUEST_URI", "/"),
    ("HTTP_HOST", "a"),
    ("WSGIGROUPS_FRAMING", "chunked"),
    ("WSGIGROUPS_BODY", "chunked"),
]
CHUNKS = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def test_a_trusted_gateway_may_send_chunks() -> None:
    found = feed([corpus.uwsgi_packet(*PACKET) + CHUNKS + b"rest"], trusted=True)
    assert (found["body"], found["rest"]) == (b"abcde", b"rest")
    assert found["CONTENT_LENGTH"] == "5"  # collected
    assert not found.keys() & {"WSGIGROUPS_BODY", "HTTP_TRANSFER_ENCODING"}


def test_a_stranger_may_not_and_nobody_may_give_two_lengths() -> None:
    found = feed([corpus.uwsgi_packet(*PACKET) + CHUNKS])
    assert (found["body"], found["rest"]) == (b"", CHUNKS)
    assert feed([corpus.uwsgi_packet(*PACKET, ("CONTENT_LENGTH", "5")) + CHUNKS], trusted=True) == 400
    assert feed([corpus.uwsgi_packet(*PACKET) + b"nonsense\r\n"], trusted=True) == 400
