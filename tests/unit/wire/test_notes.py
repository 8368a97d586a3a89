"""What a process was asked last is read from its board when it is dead, and whatever is written there does no harm."""

from __future__ import annotations

import os
import time

import pytest
from support.gated import GET, Gated, waiting
from support.serving import serving

from wsgigroups.runtime.wire import board, notes
from wsgigroups.runtime.wire.in_flight import MOST, in_flight


def noted(target: bytes, method: bytes = b"GET") -> str:
    raw = bytearray(notes.NOTE_BYTES)
    notes.write_asked(raw, notes.ASKED_OFFSET, method, target)
    return notes.note_of(bytes(raw)).asked


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (b"/segv", "/segv"),
        (b"/pay?card=4111", "/pay"),
        (b"/pay#x", "/pay"),
        (b"http://user:secret@shop.example/pay?card=4111", "/pay"),
        (b"/go/http://elsewhere", "/go/http://elsewhere"),
        (b"/" + b"x" * 200, "/" + "x" * (notes.TARGET_BYTES - 1) + "..."),
        (b"/" + b"x" * 105 + b"?card=4111", "/" + "x" * 105),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_a_note_has_method_and_path_and_never_the_query(target: bytes, told: str) -> None:
    assert noted(target) == f"GET {told}"


def test_nothing_is_noted_where_nothing_was_asked() -> None:
    assert notes.note_of(bytes(notes.NOTE_BYTES)) == notes.ThreadNote(0, "")


def test_what_is_in_the_application_is_read_from_outside_the_oldest_first() -> None:
    fd = board.create(40, "wsgigroups-test")
    try:
        written = board.Board(fd)
        now_ns = time.monotonic_ns()
        for thread in range(20):
            notes.write_ident(written.notes, thread * notes.NOTE_BYTES, 1000 + thread)
            place = thread * notes.NOTE_BYTES + notes.ASKED_OFFSET
            notes.write_asked(written.notes, place, b"GET", b"/%d" % thread)
            written.words[board.BUSY_WORD + thread] = now_ns - thread * 10**9
        found = in_flight(fd, 40)
        assert (found["total"], len(found["requests"])) == (20, MOST)
        oldest = found["requests"][0]
        assert (oldest["thread"], oldest["ident"], oldest["asked"]) == (19, 1019, "GET /19")
        assert oldest["age_s"] >= 19
        # later than now: a tenant's word
        written.words[board.BUSY_WORD] = 2**64 - 1
        assert in_flight(fd, 40)["requests"][-1]["age_s"] >= 0
        written.words[0] = 1
        assert in_flight(fd, 40) == {"total": 0, "requests": []}
        written.close()
    finally:
        os.close(fd)


def test_a_board_without_notes_serves_and_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager of an earlier version has made it."""
    with monkeypatch.context() as earlier:
        earlier.setattr(notes, "size_bytes", lambda _threads: 0)
        fd = board.create(2, "wsgigroups-test")
    try:
        written = board.Board(fd)
        notes.write_asked(written.notes, notes.ASKED_OFFSET, b"GET", b"/")
        written.words[board.BUSY_WORD] = time.monotonic_ns()
        (request,) = in_flight(fd, 2)["requests"]
        assert (request["asked"], request["ident"]) == ("", 0)
        written.close()
    finally:
        os.close(fd)


def test_each_request_is_noted_before_the_application_is_called() -> None:
    gated = Gated()
    with serving(gated, threads=4) as running, waiting(running, gated, 2):
        for _ in range(3):
            assert running.exchange(GET % b"/quick?secret").endswith(b"/quick")
        running.wait_word("requests_active", 2)
        raw = bytes(running.board.notes)
        told = [notes.note_of(raw[at : at + notes.NOTE_BYTES]) for at in range(0, len(raw), notes.NOTE_BYTES)]
        assert [note.asked for note in told].count("GET /wait") == 2
        assert "GET /quick" in [note.asked for note in told]
        threads = {note.ident for note in told if note.asked == "GET /wait"}
        assert threads == set(running.server.threads_in_flight())
        gated.open(2)
