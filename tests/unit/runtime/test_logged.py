"""What an application says keeps its level, and goes to the log writer's pipe whole or not at all."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

import pytest

from wsgigroups.runtime.daemon.descriptors import Unhindered
from wsgigroups.runtime.log import LogLines
from wsgigroups.runtime.wire.log_frames import AccessLines, Said, Splitter
from wsgigroups.runtime.wsgi.errors import ErrorsStream

TOKEN = "0123456789abcdef"


class Framed:
    """A log whose records go to a pipe, and what came."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        os.set_blocking(write_end, False)
        self.lines = LogLines(2, lambda: "not used")
        self.lines.switch(TOKEN, write_end)
        self.splitter = Splitter(TOKEN)

    def came(self) -> list[NamedTuple]:
        """What is in the pipe."""
        data = b""
        try:
            while block := os.read(self.read_end, 65536):
                data += block
        except BlockingIOError:
            pass
        return self.splitter.feed(data)

    def said(self) -> list[tuple[str, str]]:
        """Level and text of the records that came."""
        return [(item.level, item.text) for item in self.came() if isinstance(item, Said)]


@pytest.fixture
def framed() -> Iterator[Framed]:
    made = Framed()
    yield made
    made.lines.switch("", -1)
    os.close(made.read_end)


def stderr_of(lines: LogLines) -> io.TextIOWrapper:
    raw = Unhindered(2, lines, "stderr", "utf-8")
    return io.TextIOWrapper(cast("BinaryIO", io.BufferedWriter(raw)), "utf-8", line_buffering=True)


def logger_to(stream: Any) -> logging.Logger:
    found = logging.Logger("shop")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    found.addHandler(handler)
    return found


def test_a_record_of_logging_keeps_its_level_on_stderr(framed: Framed) -> None:
    stream = stderr_of(framed.lines)
    logger = logger_to(stream)
    logger.warning("cold")
    logger.info("warm")
    logger.debug("detail")
    print("printed", file=stream)
    try:
        int("x")
    except ValueError:
        logger.exception("it failed")
    *first, (level, text) = framed.said()
    assert first == [("warning", "shop cold"), ("info", "shop warm"), ("debug", "shop detail"), ("stderr", "printed")]
    assert level == "error"
    assert text.startswith("shop it failed\nTraceback")
    assert "ValueError: invalid literal" in text


def test_a_record_of_logging_keeps_its_level_in_wsgi_errors() -> None:
    said: list[tuple[str, str]] = []
    stream = ErrorsStream(lambda level, text: said.append((level, text)))
    logger_to(stream).warning("cold")
    print("printed", file=stream)
    assert said == [("warning", "shop cold"), ("error", "wsgi.errors: printed")]


def test_a_record_names_its_request(framed: Framed) -> None:
    framed.lines.request_id = lambda: "r-1"
    framed.lines.log("info", "x" * 10_000)
    (record,) = framed.came()
    assert isinstance(record, Said)
    assert (record.request_id, record.text, record.pid) == ("r-1", "x" * 10_000, os.getpid())


def test_without_a_log_writer_a_record_names_its_request_too() -> None:
    lines = LogLines(2, lambda: "blog/1 life=7 pid=5")
    lines.request_id = lambda: "r-1"
    assert lines.record("info", "x").endswith(b"Z blog/1 life=7 pid=5 request=r-1 info: x\n")


def test_lines_of_an_access_log_come_as_they_are(framed: Framed) -> None:
    lines = b"".join(b'1.2.3.4 - - "GET /%d"\n' % number for number in range(1000))
    framed.lines.access(lines)
    assert b"".join(item.data for item in framed.came() if isinstance(item, AccessLines)) == lines


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting_and_is_counted(framed: Framed) -> None:
    for number in range(300):
        framed.lines.log("info", f"{number} {'x' * 1000}")
    kept = len(framed.said())
    assert 0 < kept < 300
    framed.lines.log("info", "again")
    (again, (level, text)) = framed.said()
    assert again == ("info", "again")
    assert (level, text) == ("warning", f"{300 - kept} lines could not be written: nobody reads them")


def test_a_pipe_whose_reader_is_gone_fails_nobody() -> None:
    framed = Framed()
    os.close(framed.read_end)
    framed.lines.log("info", "lost")
    stderr_of(framed.lines).write("lost\n")
    framed.lines.switch("", -1)
