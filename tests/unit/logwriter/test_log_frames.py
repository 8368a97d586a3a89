"""Records in a pipe: whole however they were cut, and no text can begin one."""

from __future__ import annotations

import random

import pytest

from wsgigroups.runtime.wire import log_frames
from wsgigroups.runtime.wire.log_frames import AccessLines, Raw, Said, Splitter

TOKEN = "0123456789abcdef"


def framed(text: str, level: str = "info", pid: int = 7, request_id: str = "") -> list[bytes]:
    payload = log_frames.record_payload(level, 5, request_id, text)
    return log_frames.frames(TOKEN.encode(), log_frames.RECORD, pid, payload)


def test_a_record_comes_as_it_was_said() -> None:
    (frame,) = framed("two\nlines", "error", 0xFFFF, "abc")
    assert Splitter(TOKEN).feed(frame) == [Said(0xFFFF, "error", 5, "abc", "two\nlines")]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_cut_anywhere_is_put_together(seed: int) -> None:
    chance = random.Random(seed)
    expected, data, pending = [], b"", b""
    for number in range(60):
        kind = chance.randrange(4)
        if kind == 0:
            text = "x" * chance.choice((0, 5, 5000, 20000))
            data += b"".join(framed(text, pid=number))
            expected.append(Said(number, "info", 5, "", text))
        elif kind == 1:
            line = b"access %d " % number + b"y" * chance.choice((0, 300, 9000)) + b"\n"
            frames = log_frames.access_frames(TOKEN.encode(), number, line * chance.choice((1, 3)))
            data += b"".join(frames)
            found = [item for item in Splitter(TOKEN).feed(b"".join(frames)) if isinstance(item, AccessLines)]
            expected += found
        elif kind == 2:
            pending += b"part %d" % number
            data += b"part %d" % number
        else:
            data += b" end\n"
            expected.append(Raw(pending + b" end"))
            pending = b""
    splitter, found = Splitter(TOKEN), []
    while data:
        size = chance.choice((1, 17, 100, 4096, 65536))
        found += splitter.feed(data[:size])
        data = data[size:]
    found += splitter.rest()
    assert found == expected + ([Raw(pending)] if pending else [])


def test_every_frame_is_one_write_of_the_kernel() -> None:
    frames = framed("z" * 100_000) + log_frames.access_frames(TOKEN.encode(), 1, (b"a" * 1000 + b"\n") * 50)
    assert all(len(frame) <= log_frames.PIPE_BUF for frame in frames)
    assert (
        sum(len(item.data) for item in Splitter(TOKEN).feed(b"".join(frames)) if isinstance(item, AccessLines))
        == 50_050
    )


def test_who_does_not_know_the_token_begins_no_record() -> None:
    forged = framed("forged")[0].replace(TOKEN.encode(), b"f" * 16)
    found = Splitter(TOKEN).feed(b"GET /\x1e" + forged + b"\n" + framed("true")[0])
    assert [type(item) for item in found] == [Raw, Said]


def test_parts_of_two_processes_do_not_mix() -> None:
    first, second = framed("a" * 9000, pid=1), framed("b" * 9000, pid=2)
    mixed = b"".join(frame for pair in zip(first, second, strict=True) for frame in pair)
    assert [(said.pid, set(said.text)) for said in Splitter(TOKEN).feed(mixed)] == [(1, {"a"}), (2, {"b"})]  # type: ignore[attr-defined]


def test_a_line_without_an_end_is_cut_and_nothing_grows() -> None:
    splitter = Splitter(TOKEN)
    for _ in range(100):
        found = splitter.feed(b"w" * 65536)
        assert all(len(item.line) == log_frames.MAXIMUM_LINE_BYTES for item in found if isinstance(item, Raw))
        assert len(found) >= 7
    assert sum(len(item.line) for item in splitter.rest() if isinstance(item, Raw)) < log_frames.MAXIMUM_LINE_BYTES


def test_a_process_that_writes_nonsense_for_frames_spoils_nothing_but_its_own() -> None:
    marker = log_frames.MARK + TOKEN.encode()
    for nonsense in (marker + b"rzzzzzzzzzzzz", marker + b"r0000000700zz", marker + b"?0000000700020k"):
        found = Splitter(TOKEN).feed(nonsense + framed("after")[0] + b"\n")
        assert found[-1:] == [Said(7, "info", 5, "", "after")] or found[-2:-1] == [Said(7, "info", 5, "", "after")], (
            found
        )
