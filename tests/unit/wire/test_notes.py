"""What a process was asked last is read from its board when it is dead, and whatever is written there does no harm."""

from __future__ import annotations

import os
import time

import pytest
from support.gated import GET, Gated, pass_time, waiting
from support.serving import Clock, Running, serving

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


@pytest.mark.parametrize(
    ("file", "told"), [("/srv/app.py", "/srv/app.py"), ("/" + "x" * 99 + "/app.py", "..." + "x" * 62 + "/app.py")]
)
def test_a_place_is_the_end_of_a_file_a_line_and_a_function(file: str, told: str) -> None:
    raw = bytearray(2 * notes.NOTE_BYTES)
    notes.write_where(memoryview(raw), notes.NOTE_BYTES, 5, file, 12, "f" * 99)
    found = notes.note_of(bytes(raw[notes.NOTE_BYTES :]))
    assert (found.where_since_ns, found.where) == (5, (told, 12, "f" * 32))
    assert notes.note_of(bytes(raw[: notes.NOTE_BYTES])).where is None


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


def all_notes(running: Running) -> list[notes.ThreadNote]:
    raw = bytes(running.board.notes)
    return [notes.note_of(raw[at : at + notes.NOTE_BYTES]) for at in range(0, len(raw), notes.NOTE_BYTES)]


@pytest.mark.parametrize("threads", [1, 3])  # the monitor leads, or only beats
def test_of_a_request_that_takes_long_the_place_is_noted(threads: int) -> None:
    clock, gated = Clock(), Gated()
    with serving(gated, threads=threads, clock=clock) as running, waiting(running, gated, 1):
        pass_time(running, clock, 5.0)
        running.wait(lambda: any(note.where for note in all_notes(running)))
        (note,) = (note for note in all_notes(running) if note.where)
        assert note.where is not None
        assert note.where[0].endswith("/tests/support/gated.py"), "not where Semaphore.acquire waits"
        assert note.where[2] == "__call__"
        assert note.where_since_ns in list(running.board.words[board.BUSY_WORD : board.BUSY_WORD + threads])
        gated.open(1)


def test_each_request_is_noted_before_the_application_is_called() -> None:
    gated = Gated()
    with serving(gated, threads=4) as running, waiting(running, gated, 2):
        for _ in range(3):
            assert running.exchange(GET % b"/quick?secret").endswith(b"/quick")
        running.wait_word("requests_active", 2)
        told = all_notes(running)
        assert [note.asked for note in told].count("GET /wait") == 2
        assert "GET /quick" in [note.asked for note in told]
        threads = {note.ident for note in told if note.asked == "GET /wait"}
        assert threads == set(running.server.threads_in_flight())
        gated.open(2)
