"""Whether names in a directory may have changed: never a wrong no."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from wsgigroups.manager.supervision import directories
from wsgigroups.manager.supervision.directories import Directories


class Round:
    """Looks at directories, as late as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.late_ns = 10**10
        self.known = Directories()
        clock = SimpleNamespace(time_ns=lambda: __import__("time").time_ns() + self.late_ns)
        monkeypatch.setattr(directories, "time", clock)

    def changed(self, *paths: Path) -> list[bool]:
        self.known.begin()
        return [self.known.may_have_changed(str(path)) for path in paths]


def test_nothing_has_changed_where_no_name_came_or_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Round(monkeypatch)
    file = tmp_path / "file"
    file.write_text("")
    assert looks.changed(tmp_path, tmp_path) == [True, True]
    assert looks.changed(tmp_path) == [False]
    file.write_text("what is in a file is no name")
    assert looks.changed(tmp_path) == [False]
    file.unlink()
    assert looks.changed(tmp_path) == [True]
    assert looks.changed(tmp_path) == [False]
    (tmp_path / "new").write_text("")
    os.utime(tmp_path, (1, 1))
    assert looks.changed(tmp_path) == [True], "a time that somebody sets hides nothing"


def test_what_was_changed_just_now_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Round(monkeypatch)
    looks.late_ns = 0
    (tmp_path / "file").write_text("")
    assert looks.changed(tmp_path) == [True]
    assert looks.changed(tmp_path) == [True], "another change in the same tick of the clock could not be seen"
    looks.late_ns = 10**10
    assert looks.changed(tmp_path) == [True]
    assert looks.changed(tmp_path) == [False]


def test_another_directory_and_none_at_all_are_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Round(monkeypatch)
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    looks.changed(first)
    assert looks.changed(first) == [False]
    first.rename(tmp_path / "gone")
    assert looks.changed(first) == [True]
    assert looks.changed(first) == [True]
    second.rename(first)
    assert looks.changed(first) == [True]
    assert looks.changed(first) == [False]
    looks.changed()  # nobody asks in this round, and nothing is kept
    looks.known.begin()
    assert looks.known.may_have_changed(str(first))
