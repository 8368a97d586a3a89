"""The end of a log, as a dashboard looks at it again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.manager.supervision import log_tail
from wsgigroups.manager.supervision.log_tail import LogEnd


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.log"


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_whole_lines_come_once(path: Path) -> None:
    end = LogEnd(str(path), None)
    assert end.more() == []
    add(path, "one\ntw")
    assert end.more() == ["one"]
    assert end.more() == []
    add(path, "o\nthree\n")
    assert end.more() == ["two", "three"]


def test_a_log_that_was_renamed_or_shortened_begins_anew(path: Path) -> None:
    end = LogEnd(str(path), None)
    add(path, "one\ntwo\n")
    assert end.more() == ["one", "two"]
    path.rename(path.with_suffix(".1"))
    assert end.more() == []
    add(path, "three\n")
    assert end.more() == ["three"]
    os.truncate(path, 0)
    add(path, "4\n")
    assert end.more() == ["4"]


def test_a_look_reads_a_bounded_piece_and_begins_with_a_whole_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "READ_BYTES", 12)
    end = LogEnd(str(path), None)
    add(path, "".join(f"line {number}\n" for number in range(9)))
    assert end.more() == ["line 8"]
    add(path, "".join(f"more {number}\n" for number in range(9)))
    assert end.more() == ["more 8"]
    add(path, "x" * 100)
    assert end.more() == []
    add(path, "\nend\n")
    assert end.more()[-1] == "end"


def test_what_is_no_file_has_no_lines(tmp_path: Path, path: Path) -> None:
    (tmp_path / "other").write_text("secret\n")
    path.symlink_to(tmp_path / "other")
    assert LogEnd(str(path), None).more() == []
    path.unlink()
    os.mkfifo(path)
    assert LogEnd(str(path), None).more() == []
    assert LogEnd(str(tmp_path), None).more() == []
