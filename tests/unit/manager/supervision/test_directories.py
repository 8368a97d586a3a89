"""Whether names in a directory may have changed: never a wrong no."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from wsgigroups.manager.supervision import directories
from wsgigroups.manager.supervision.directories import Directories


class Round:
    """Looks at directories with a file of group a each, as late as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
        self.late_ns = 10**10
        self.known = Directories()
        self.known.follow({"a": 1}, lambda _group: map(str, paths))
        clock = SimpleNamespace(time_ns=lambda: time.time_ns() + self.late_ns)
        monkeypatch.setattr(directories, "time", clock)

    def changed(self) -> bool:
        return self.known.changed() == {"a"}


def test_nothing_has_changed_where_no_name_came_or_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Round(monkeypatch, tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    assert looks.changed()
    assert not looks.changed()
    file.write_text("what is in a file is no name")
    assert not looks.changed()
    file.unlink()
    assert looks.changed()
    assert not looks.changed()
    (tmp_path / "new").write_text("")
    os.utime(tmp_path, (1, 1))
    assert looks.changed(), "a time that somebody sets hides nothing"


def test_what_was_changed_just_now_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Round(monkeypatch, tmp_path)
    looks.late_ns = 0
    (tmp_path / "file").write_text("")
    assert looks.changed()
    assert looks.changed(), "another change in the same tick of the clock could not be seen"
    looks.late_ns = 10**10
    assert looks.changed()
    assert not looks.changed()


def test_another_directory_and_none_at_all_are_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    looks = Round(monkeypatch, first)
    looks.changed()
    assert not looks.changed()
    first.rename(tmp_path / "gone")
    assert looks.changed()
    assert looks.changed()
    second.rename(first)
    assert looks.changed()
    assert not looks.changed()


def test_groups_are_followed_where_they_are_others(tmp_path: Path) -> None:
    asked: list[str] = []
    places = {"a": [str(tmp_path)], "b": [str(tmp_path), "/"], "c": []}

    def directories_of(group: str) -> list[str]:
        asked.append(group)
        return places[group]

    known, groups = Directories(), dict.fromkeys(places, 1)
    known.follow(groups, directories_of)
    known.follow(groups, directories_of)
    assert asked == ["a", "b", "c"]
    assert known.changed() == {"a", "b"}
    known.follow({"c": 1}, directories_of)
    assert known.changed() == set()
