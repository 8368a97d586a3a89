"""The journal survives managers, has a cap, and takes neither a full disk nor a damaged file for a reason to stop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.manager import journal
from wsgigroups.manager.core.happenings import Happening


def opened(directory: Path, logged: list[str] | None = None) -> journal.Journal:
    sink = [] if logged is None else logged
    kept = journal.Journal(directory, lambda _level, text: sink.append(text), clock=lambda: 1000.0)
    kept.open()
    return kept


def test_the_next_manager_knows_what_was_told_and_counts_on(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.record([Happening("died", "killed by signal 9", "blog", 1, 7, 99), Happening("manager-ended")])
    first.close()
    second = opened(tmp_path)
    second.record([Happening("manager-started")])
    second.close()
    assert [entry.number for entry in second.entries] == [1, 2, 3]
    assert second.entries[0].happening == Happening("died", "killed by signal 9", "blog", 1, 7, 99)
    assert list(second.entries) == journal.read(tmp_path)
    assert (tmp_path / journal.FILE).stat().st_mode & 0o777 == 0o600


def test_files_have_a_cap_and_numbers_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAXIMUM_BYTES", 2000)
    kept = opened(tmp_path)
    for _ in range(200):
        kept.record([Happening("died", "killed by signal 9", "blog", 1, 7, 99)])
    kept.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [journal.FILE, f"{journal.FILE}.1"]
    assert all(path.stat().st_size < 2300 for path in tmp_path.iterdir())
    left = journal.read(tmp_path)
    assert left[-1].number == 200
    assert [entry.number for entry in left] == list(range(left[0].number, 201))


def test_lines_that_are_none_are_left_out(tmp_path: Path) -> None:
    whole = b'{"number": 4, "at": 1.0, "kind": "ready", "group": "blog"}\n'
    other = b'{"number": 5, "at": 1.0, "kind": "eaten"}\n[1]\n"x"\nnull\n\xff\n' + b"[" * 9000 + b"\n"
    (tmp_path / journal.FILE).write_bytes(whole + other + b'{"number": 6, "at": 1.0, "ki')
    kept = opened(tmp_path)
    kept.record([Happening("manager-started")])
    kept.close()
    assert [entry.number for entry in journal.read(tmp_path)] == [4, 5]


def test_a_full_disk_loses_lines_and_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    kept = opened(tmp_path, logged)
    write, room = os.write, [30]

    def full(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = write(fd, data[: room[0]])
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", full)
    kept.record([Happening("ready", group="blog")])
    kept.record([Happening("died", group="blog")])
    monkeypatch.setattr(os, "write", write)
    kept.record([Happening("ready", group="shop")])
    kept.close()
    assert len(logged) == 2
    assert "cannot store events" in logged[0]
    assert logged[1].startswith("2 events ")
    assert [entry.happening.group for entry in journal.read(tmp_path)] == ["shop"]
    assert len(kept.entries) == 3


def test_a_file_that_was_removed_is_begun_again(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    kept.record([Happening("ready")])
    (tmp_path / journal.FILE).unlink()
    kept.record([Happening("died")])
    kept.close()
    assert [entry.happening.kind for entry in journal.read(tmp_path)] == ["died"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    state = tmp_path / "state"
    state.mkdir()
    (state / journal.FILE).symlink_to(other)
    kept = opened(state)
    kept.record([Happening("ready")])
    kept.close()
    assert other.read_text() == "mine"


def test_events_are_chosen_by_number_time_and_group() -> None:
    entries = [
        journal.Entry(number, float(number), Happening("ready", group="ab"[number % 2])) for number in range(1, 9)
    ]

    def numbers(**wanted: object) -> list[int]:
        return [entry.number for entry in journal.chosen(entries, **wanted)]  # type: ignore[arg-type]

    assert numbers(limit=2) == [7, 8]
    assert numbers(after=3, limit=2) == [4, 5]
    assert numbers(since=6.0) == [6, 7, 8]
    assert numbers(group="a") == [2, 4, 6, 8]
