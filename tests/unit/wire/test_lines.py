"""Lines of a peer that may be hostile: bounded, found again after a loss, cheap to refuse."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.lines import MAXIMUM_LINE_BYTES, LineError, LineReceiver, encode_line
from wsgigroups.runtime.wire.rates import Bucket, Quota


def received(receiver: LineReceiver, data: bytes) -> list[dict[str, object]]:
    receiver.feed(data)
    return [receiver.take() for _each in range(receiver.waiting)]


@given(st.lists(st.text()), st.data())
def test_lines_arrive_however_they_are_cut(texts: list[str], data: st.DataObject) -> None:
    sent = [messages.Leaving(number, text) for number, text in enumerate(texts)]
    stream = b"".join(encode_line(message) for message in sent)
    receiver, found, at = LineReceiver(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 64))
        found += [messages.decode(body) for body in received(receiver, stream[at : at + step])]
        at += step
    assert found == sent


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b'{"type": 1}', b"{", b"\xff", b"[" * 100_000, b'{"type": "a", "n": ' + b"9" * 25 + b"}"],
)
def test_what_is_no_message_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(LineError):
        received(LineReceiver(), line + b"\n")


def test_a_line_is_not_collected_beyond_its_limit() -> None:
    receiver = LineReceiver()
    receiver.feed(b"x" * 65536)
    with pytest.raises(LineError, match="longer than 131072 bytes"):
        receiver.feed(b"x" * 65536)


def test_a_reader_that_comes_late_finds_the_next_line() -> None:
    line = encode_line(messages.Leaving(7, "signal"))
    assert received(LineReceiver(joins_late=True), line[5:] + line) == [{}, json.loads(line)]
    with pytest.raises(LineError):
        received(LineReceiver(joins_late=True), line[5:] * 2)


def test_a_message_that_is_too_long_keeps_the_ends_of_its_texts() -> None:
    trace = "\N{SNOWMAN}" * 65536 + "the error"
    line = encode_line(messages.Failed(7, "import", "cannot import", trace))
    assert len(line) <= MAXIMUM_LINE_BYTES
    failed = messages.decode(received(LineReceiver(), line)[0])
    assert isinstance(failed, messages.Failed)
    assert failed.message == "cannot import"
    assert failed.traceback.startswith("(cut) ")
    assert failed.traceback.endswith("the error")


def test_a_bucket_gives_its_burst_and_then_so_much_a_second() -> None:
    bucket = Bucket(3, 2.0, 100.0)
    assert [bucket.take(1, 100.0) for _each in range(4)] == [True, True, True, False]
    assert [bucket.take(1, 101.0) for _each in range(3)] == [True, True, False]
    assert not bucket.take(4, 10_000.0), "never more than the burst"


def test_a_quota_counts_what_it_leaves_out_and_tells_it_once() -> None:
    quota = Quota(2)
    assert [quota.ask(5.1 + number / 10) for number in range(4)] == [(True, 0), (True, 0), (False, 0), (False, 0)]
    assert [quota.ask(6.0), quota.ask(6.1)] == [(True, 2), (True, 0)]
