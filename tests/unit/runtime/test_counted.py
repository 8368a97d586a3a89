"""Lines that find no room: counted, told when there is room, never an error, never two lines in one."""

from __future__ import annotations

import errno
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wsgigroups.runtime import originals
from wsgigroups.runtime.counted import CountedLines
from wsgigroups.runtime.daemon import descriptors
from wsgigroups.runtime.log import LogLines


class Disk:
    """`os.write` with so many bytes of room; None: as much as there is."""

    def __init__(self, number: int) -> None:
        self.room: int | None = None
        self._number = number
        self._write = os.write

    def write(self, fd: int, data: bytes) -> int:
        if self.room is None:
            return self._write(fd, data)
        if self.room == 0:
            raise OSError(self._number, os.strerror(self._number))
        written = self._write(fd, bytes(data)[: self.room])
        self.room -= written
        return written


@pytest.fixture(params=[errno.ENOSPC, errno.EIO, errno.EDQUOT])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(request.param)
    monkeypatch.setattr(originals.os, "write", made.write)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[int, Callable[[], list[str]]]]:
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield fd, lambda: path.read_text().splitlines()
    os.close(fd)


def test_lines_of_a_full_disk_are_counted_and_told_when_there_is_room(
    disk: Disk, file: tuple[int, Callable[[], list[str]]]
) -> None:
    fd, lines = file
    told: list[str] = []

    def tell(text: str) -> bool:
        told.append(text)
        return len(told) > 1  # the first time there is no room for it again

    counted = CountedLines(fd, tell)
    counted.write(b"one\n")
    disk.room = 0
    counted.write(b"two\nthree\n")
    counted.write(b"four\n")
    assert told == []
    disk.room = None
    counted.write(b"five\n")
    counted.write(b"six\n")
    counted.write(b"seven\n")
    assert lines() == ["one", "five", "six", "seven"]
    assert [text.partition(":")[0] for text in told] == ["3 lines could not be written"] * 2


def test_what_was_cut_stays_a_line_of_its_own(disk: Disk, file: tuple[int, Callable[[], list[str]]]) -> None:
    fd, lines = file
    log = LogLines(fd, lambda: "a/1").log
    disk.room = 10
    log("info", "never seen whole")
    disk.room = None
    log("info", "next")
    cut, following, loss = lines()
    assert len(cut) == 10
    assert following.endswith(" a/1 info: next")
    assert " a/1 warning: 1 lines could not be written: " in loss


@pytest.mark.parametrize("gone", [errno.ENOSPC, errno.EIO, errno.EPIPE])
def test_who_prints_does_not_fail(gone: int, file: tuple[int, Callable[[], list[str]]]) -> None:
    fd, lines = file
    log = LogLines(fd, lambda: "a/1")
    full = os.open("/dev/full", os.O_WRONLY)
    stream = descriptors.Unhindered(fd, log, "stdout", "utf-8")
    kept = os.dup(fd)
    os.dup2(full, fd)
    os.close(full)
    assert stream.write(b"lost\n") == 5
    log.lose(b"as well\n", OSError(gone, os.strerror(gone)))
    os.dup2(kept, fd)
    os.close(kept)
    assert stream.write(b"seen\n") == 5
    assert lines()[0].endswith("Z a/1 stdout: seen")
    assert f" a/1 warning: 2 lines could not be written: {os.strerror(gone)}" in lines()[1]


def test_another_error_is_the_applications(file: tuple[int, Callable[[], list[str]]]) -> None:
    fd, _lines = file
    reading = os.open("/dev/null", os.O_RDONLY)
    stream = descriptors.Unhindered(reading, LogLines(fd, lambda: "a/1"), "stdout", "utf-8")
    with pytest.raises(OSError, match="Bad file descriptor"):
        stream.write(b"text\n")
    os.close(reading)


def test_a_child_logs_although_a_thread_of_its_parent_held_the_lock(file: tuple[int, Callable[[], list[str]]]) -> None:
    fd, lines = file
    holds, over = threading.Event(), threading.Event()

    def tell(_text: str) -> bool:
        holds.set()
        return over.wait(30)

    counted = CountedLines(fd, tell)
    counted.lose(b"x\n", OSError(errno.ENOSPC, "full"))
    thread = threading.Thread(target=counted.write, args=(b"parent\n",))
    thread.start()
    assert holds.wait(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there is another thread, from Python 3.12 on
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)  # whoever waits for the thread ends by it
        counted.write(b"child\n")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    over.set()
    thread.join()
    assert lines() == ["parent", "child"]
