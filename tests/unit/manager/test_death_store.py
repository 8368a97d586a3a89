"""The store of deaths survives managers, has caps that nobody can push others out of, and takes a full disk lightly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.manager import death_store
from wsgigroups.manager.core.deaths import Cause, Death, RequestAtDeath
from wsgigroups.manager.core.stacks import Frame
from wsgigroups.manager.death_store import DeathStore


def opened(directory: Path, logged: list[str] | None = None) -> DeathStore:
    sink = [] if logged is None else logged
    kept = DeathStore(directory, lambda _level, text: sink.append(text))
    kept.open()
    return kept


def death(life: int, group: str = "shop", cause: Cause = "crashed", slot: int = 1, message: str = "") -> Death:
    return Death(float(life), group, slot, life, 99, cause, message=message, signal="SIGSEGV")


def lives(found: list[Death]) -> list[int]:
    return [item.life for item in found]


def test_the_next_manager_knows_them_and_so_does_who_reads_without_one(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.record(death(1))
    first.record(death(2, "blog"))
    second = opened(tmp_path)
    second.record(death(3, slot=2))
    second.record(death(1))  # told of again by a spawner that nobody had acknowledged it to
    assert lives(second.chosen()) == [1, 2, 3]
    assert lives(second.chosen("shop")) == [1, 3]
    assert lives(second.chosen("shop", slot=2)) == [3]
    assert lives(second.chosen("shop", limit=1)) == [3]
    assert second.chosen("shop", limit=0) == []
    assert second.chosen("shop", limit=1) == [death(3, slot=2)]
    assert lives(death_store.chosen(death_store.read(tmp_path))) == [1, 2, 3]
    assert (tmp_path / death_store.FILE).stat().st_mode & 0o777 == 0o600


def test_a_group_that_keeps_dying_pushes_out_nobody_elses_and_recycling_no_crash(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    kept.record(death(1, "quiet"))
    kept.record(death(2, "noisy"))
    for life in range(10, 10 + 3 * death_store.KEPT_OF_A_GROUP):
        kept.record(death(life, "noisy", "recycled"))
    assert lives(kept.chosen("quiet")) == [1]
    assert kept.chosen("noisy", limit=1000)[0] == death(2, "noisy")
    assert len(kept.chosen("noisy", limit=1000)) == 1 + death_store.KEPT_OF_A_GROUP


def test_long_records_cost_their_own_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death_store, "MAXIMUM_BYTES", 20_000)
    kept = opened(tmp_path)
    kept.record(death(1, "quiet"))
    for life in range(2, 40):
        kept.record(death(life, "noisy", message="x" * 2000))
        assert (tmp_path / death_store.FILE).stat().st_size <= 2 * 20_000 + 3000
    assert lives(kept.chosen("quiet")) == [1]
    assert 5 < len(kept.chosen("noisy", limit=1000)) < 10
    assert lives(opened(tmp_path).chosen(limit=1000)) == lives(kept.chosen(limit=1000))


def test_no_record_is_longer_than_the_bound(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    frames = tuple(Frame("application", "\x7f" * 200, "y" * 80) for _ in range(12))
    requests = tuple(RequestAtDeath("z" * 200, 1.0, number, frames) for number in range(16))
    kept.record(Death(1.0, "shop", 1, 1, 9, "crashed", requests=requests, log=("\u2028" * 240,) * 20))
    assert (tmp_path / death_store.FILE).stat().st_size <= 12_000
    assert lives(opened(tmp_path).chosen()) == [1]


def test_lines_that_are_none_are_left_out_and_a_torn_one_is_mended(tmp_path: Path) -> None:
    opened(tmp_path).record(death(1))
    path = tmp_path / death_store.FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b'[1]\nnull\n\xff\n{"cause": "eaten"}\n' + b"[" * 9000 + b"\n" + whole[:30])
    kept = opened(tmp_path)
    kept.record(death(2))
    assert lives(kept.chosen()) == [1, 2]
    assert lives(opened(tmp_path).chosen()) == [1, 2]
    assert len(path.read_bytes().splitlines()) == 2


def test_a_full_disk_is_said_once_and_nothing_is_lost_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    kept = opened(tmp_path, logged)
    kept.record(death(1))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
    kept.record(death(2))
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "replace", lambda _old, _new: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    kept.record(death(3))
    monkeypatch.undo()
    assert len(logged) == 1
    assert "cannot store deaths" in logged[0]
    kept.record(death(4))
    assert lives(opened(tmp_path).chosen()) == [1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == [death_store.FILE]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    state = tmp_path / "state"
    state.mkdir()
    (state / death_store.FILE).symlink_to(other)
    opened(state).record(death(1))
    assert other.read_text() == "mine"
