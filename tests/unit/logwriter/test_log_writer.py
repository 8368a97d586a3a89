"""The log writer: what comes through pipes is in the files, whoever ends, and nobody waits for a disk."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.log_writer import TOKEN, WriterUnderTest, record

from wsgigroups.runtime.logwriter import loop
from wsgigroups.runtime.wire import log_frames, log_messages


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[WriterUnderTest]:
    with WriterUnderTest(tmp_path) as under_test:
        yield under_test


def said(path: Path) -> list[str]:
    """The lines of a log without their times."""
    return [re.sub(r"^\S+Z ", "", line) for line in path.read_text().splitlines()]


def test_records_and_raw_lines_are_written_with_whose_they_are(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log)
    access = log_frames.access_frames(TOKEN.encode(), 99, b'1.2.3.4 - - "GET /"\n')[0]
    os.write(pipe, b"raw " + record("hello", "warning") + b"line\n" + record("of a child", pid=100) + access)
    writer.flush()
    assert said(log) == [
        "blog/1 life=7 pid=99 warning: hello",
        "blog/1 life=7 pid=99 output: raw line",
        "blog/1 life=7 pid=99 child=100 info: of a child",
        '1.2.3.4 - - "GET /"',
    ]
    os.close(pipe)
    over = writer.hear_of(log_messages.SourceOver)
    assert isinstance(over, log_messages.SourceOver)
    assert over.key == "7"
    assert over.text.endswith("child=100 info: of a child")


FORGED = (
    "2026-01-31T09:00:00.000Z b/1 life=1 pid=1 error: gone",
    "2026-01-31T09:00:00.000Z - b/1",
    "    what bob said further",
    '{"Timestamp":"2026-01-31T09:00:00.000Z","Resource":{"service.instance.id":"b/1"},"Body":"gone"}',
)


@pytest.mark.parametrize("forged", FORGED)
def test_what_is_no_line_of_an_access_log_is_a_record_of_whoever_sends_it(
    writer: WriterUnderTest, tmp_path: Path, forged: str
) -> None:
    """A process knows how lines of its access log are sent, and they are written without a word whose they are."""
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log, records_per_s=2)
    line = '1.2.3.4 - - "GET /"'
    sent = f"{line}\n{forged}\n{forged}\n{forged}\n".encode()
    os.write(pipe, b"".join(log_frames.access_frames(TOKEN.encode(), 99, sent)))
    writer.flush()
    assert said(log)[:3] == [line, *[f"blog/1 life=7 pid=99 output: {forged}"] * 2]
    assert all("left out" in more for more in said(log)[3:]), "they count as records"


def test_what_was_said_before_a_death_is_written_and_told(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log)
    os.write(pipe, b"x" * 40_000 + b"\n" + record("going down", "error") + b"Fatal Python error\n  File x\n")
    writer.say(log_messages.LastWords("7"))
    words = writer.hear_of(log_messages.Words)
    assert isinstance(words, log_messages.Words)
    assert words.text.endswith("pid=99 error: going down\nFatal Python error\n  File x")
    assert len(words.text) < 17_000
    os.write(pipe, b"no end")
    os.close(pipe)
    writer.hear_of(log_messages.SourceOver)
    writer.flush()
    assert said(log)[-1] == "blog/1 life=7 pid=99 output: no end"


def test_it_outlives_its_manager_and_the_next_one_gets_the_pipes(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log, records_per_s=5)
    writer.leave()
    os.write(pipe, record("alone"))
    writer.connect()
    (kept,) = writer.sources
    assert (kept.key, kept.outlet, kept.life, kept.pid, kept.token, kept.records_per_s) == (
        "7",
        str(log),
        7,
        99,
        TOKEN,
        5,
    )
    writer.flush()
    assert said(log) == ["blog/1 life=7 pid=99 info: alone"]
    os.close(pipe)


def test_without_a_manager_and_a_pipe_it_ends(writer: WriterUnderTest, tmp_path: Path) -> None:
    writer.outlet(tmp_path / "a.log")
    pipe = writer.source("7", tmp_path / "a.log")
    os.write(pipe, record("the last"))
    os.close(pipe)
    writer.leave()
    writer.ended()
    assert said(tmp_path / "a.log") == ["blog/1 life=7 pid=99 info: the last"]


def test_what_it_is_told_to_leave_is_in_the_pipe_for_the_next_one(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log)
    writer.flush()
    writer.say(log_messages.EndWriting(drain=False))
    writer.ended()
    os.write(pipe, b"left")
    assert os.read(writer.keeper, 100) == b"left"
    os.close(pipe)


def test_a_renamed_file_and_the_next_one_have_each_line_once(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log)
    for number in range(500):
        os.write(pipe, record(f"line {number}"))
        if number == 250:
            log.rename(tmp_path / "a.log.1")
            writer.outlet(log)
    writer.flush()
    lines = said(tmp_path / "a.log.1") + said(log)
    assert lines == [f"blog/1 life=7 pid=99 info: line {number}" for number in range(500)]
    os.close(pipe)


def test_a_file_that_is_long_enough_is_told_of_once(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log, rotate_bytes=1000)
    pipe = writer.source("7", log)
    for _ in range(40):
        os.write(pipe, record("x" * 50))
    assert writer.hear_of(log_messages.Full) == log_messages.Full(str(log))
    log.rename(tmp_path / "a.log.1")
    writer.outlet(log, rotate_bytes=1000)
    writer.flush()
    os.write(pipe, record("y" * 2000))
    assert writer.hear_of(log_messages.Full) == log_messages.Full(str(log))
    os.close(pipe)


def test_more_records_than_a_second_may_have_are_counted(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    writer.outlet(log)
    pipe = writer.source("7", log, records_per_s=10)
    os.write(pipe, b"".join(record(f"{number}") for number in range(100)))
    os.close(pipe)
    writer.hear_of(log_messages.SourceOver)
    writer.flush()
    counts = [
        int(number) for number in re.findall(r"warning: (\d+) records were left out: more than 10", log.read_text())
    ]
    kept = len(re.findall(r"info: \d+", log.read_text()))
    assert sum(counts) + kept == 100
    assert 10 <= kept <= 20


def test_a_stream_that_nobody_reads_holds_up_no_other_log(writer: WriterUnderTest, tmp_path: Path) -> None:
    stuck_read, stuck = os.pipe()
    writer.say(log_messages.LogOutlet("/dev/stdout"), [stuck])
    os.close(stuck)
    log = tmp_path / "a.log"
    writer.outlet(log)
    loud, quiet = writer.source("1", Path("/dev/stdout"), token=""), writer.source("2", log)
    for _ in range(100):  # more than the stream and the queue have room for: whoever writes is not kept waiting
        os.write(loud, b"z" * 65535 + b"\n")
    os.write(quiet, record("goes on"))
    writer.say(log_messages.LogPing(3))
    assert writer.hear_of(log_messages.LogPong) == log_messages.LogPong(3)
    os.close(quiet)
    writer.hear_of(log_messages.SourceOver)
    writer.say(log_messages.Flush(1))
    writer.hear_of(log_messages.Flushed)
    assert said(log) == ["blog/1 life=7 pid=99 info: goes on"]
    os.close(loud)
    os.close(stuck_read)


def test_lines_change_their_format_and_their_file_while_a_process_runs(writer: WriterUnderTest, tmp_path: Path) -> None:
    text, other = tmp_path / "a.log", tmp_path / "b.log"
    writer.outlet(text)
    writer.outlet(other, format="json")
    pipe = writer.source("7", text)
    os.write(pipe, record("one"))
    writer.flush()
    writer.say(log_messages.LogSource("7", str(other), "blog", 1, 7, 99, TOKEN))
    writer.flush()
    os.write(pipe, record("two", "error"))
    writer.flush()
    assert said(text) == ["blog/1 life=7 pid=99 info: one"]
    assert json.loads(other.read_text())["SeverityText"] == "ERROR"
    os.close(pipe)


def test_a_full_disk_costs_lines_which_are_counted(writer: WriterUnderTest, tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    log = tmp_path / "a.log"
    writer.say(log_messages.LogOutlet(str(log)), [full])
    os.close(full)
    pipe = writer.source("7", log)
    os.write(pipe, record("lost"))
    writer.flush()
    writer.outlet(log)
    os.write(pipe, record("kept"))
    writer.flush()
    first, second = said(log)
    assert "warning: 1 lines could not be written: No space left on device" in first
    assert second == "blog/1 life=7 pid=99 info: kept"
    os.close(pipe)


def test_syslog_has_a_datagram_for_each_line_and_is_reached_again(writer: WriterUnderTest, tmp_path: Path) -> None:
    def outlet() -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.settimeout(20)
        writer.say(log_messages.LogOutlet("/dev/log", lines="syslog"), [theirs.fileno()])
        theirs.close()
        return ours

    first = outlet()
    pipe = writer.source("7", Path("/dev/log"))
    os.write(pipe, record("one\ntwo", "error"))
    assert re.fullmatch(rb"<27>\w{3} [ \d]\d [\d:]{8} wsgigroups\[99\]: \S+Z blog/1 .*error: one", first.recv(10_000))
    assert first.recv(10_000).endswith(b"wsgigroups[99]:     two")
    first.close()
    os.write(pipe, record("lost"))
    assert writer.hear_of(log_messages.Full) == log_messages.Full("/dev/log")
    second = outlet()
    os.write(pipe, record("found"))
    assert b"1 lines could not be written: " in second.recv(10_000)
    assert second.recv(10_000).endswith(b"info: found")
    os.close(pipe)
    second.close()


def test_a_stream_of_the_journal_has_priorities(writer: WriterUnderTest, tmp_path: Path) -> None:
    log = tmp_path / "stream"
    writer.outlet(log, lines="journal")
    pipe = writer.source("7", log)
    os.write(pipe, record("one", "warning"))
    writer.flush()
    assert log.read_text().startswith("<4>2")
    os.close(pipe)


def test_one_to_which_no_manager_comes_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that started it may have been killed before it could."""
    monkeypatch.setattr(loop, "COMES_S", 0.0)
    monkeypatch.setattr(loop, "_TICK_S", 0.01)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "w.sock"))
        listener.listen(1)
        writer = loop.WritingLoop(listener, os.geteuid())
        assert writer.run() == 0
        writer.close()
