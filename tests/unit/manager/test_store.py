"""The store: whole or not at all, private, bounded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager import store as module
from wsgigroups.manager.store import KEPT_REVISIONS, Store, Stored


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "state")
    made.prepare()
    return made


def test_an_empty_directory_is_an_empty_state(store: Store) -> None:
    assert store.load() == Stored()


def test_what_is_saved_is_loaded_and_private(store: Store) -> None:
    saved = Stored(3, 20_000, {"blog": {"stopped": False}}, next_change=7, transaction={"change": 6}, cwd="/srv")
    saved.locale = {"LANG": "C"}
    store.save(saved)
    assert store.load() == saved
    path = store.directory / "state.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.directory.stat().st_mode & 0o777 == 0o700


def test_a_write_that_fails_leaves_the_old_state(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(Stored(revision=1))

    def no_space(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        store.save(Stored(revision=2))
    assert store.load().revision == 1
    assert [path.name for path in store.directory.iterdir() if path.is_file()] == ["state.json"]


def test_a_symbolic_link_in_the_way_is_not_followed(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (store.directory / ".state.json.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        store.save(Stored(revision=2))
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"revision": 7}', "\udcff"])
def test_a_damaged_revision_is_said_with_the_way_out(store: Store, text: str) -> None:
    store.save_revision(6, {}, "done", "uid 0")
    store.save_revision(7, {}, "done", "uid 0")
    path = store.revisions / "00000007.json"
    path.write_text(text, errors="surrogateescape")
    for read in (lambda: store.document(7), lambda: store.set_outcome(7, "failed")):
        with pytest.raises(WsgigroupsError, match=f"cannot read {path}") as refusal:
            read()
        assert refusal.value.hint == "move it away to go on without that revision"
    assert store.document(6) == {}
    damaged, good = store.history()
    assert (damaged["revision"], damaged["outcome"]) == (7, "unreadable")
    assert damaged["error"].startswith(f"cannot read {path}")
    assert (good["revision"], good["outcome"]) == (6, "done")
    assert (store.last_number(), store.good_before(7)) == (7, 6)


def test_the_last_good_revision_is_one_that_was_done_and_differs(store: Store) -> None:
    for number, (threads, outcome) in enumerate(
        [(1, "done"), (2, "done"), (9, "rolled-back"), (9, "failed"), (2, "done"), (3, "interrupted")], start=1
    ):
        store.save_revision(number, {"threads": threads}, outcome, "uid 0")
    assert store.good_before(2) == 1
    assert store.good_before(1) is None
    assert store.good_before(5) == 1  # 2 has the configuration of 5
    assert store.good_before(7) == 5  # what runs cannot be read


def test_open_outcomes_are_settled_once(store: Store) -> None:
    for number, outcome in enumerate(["done", "pending", "rolled-back", "pending"], start=1):
        store.save_revision(number, {}, outcome, "uid 0")
    (store.revisions / "notes.json").write_text("somebody's")
    assert store.interrupt_pending() == [2, 4]
    assert [row["outcome"] for row in store.history()] == ["interrupted", "rolled-back", "interrupted", "done"]
    assert store.interrupt_pending() == []


DAMAGED = ["", "{", "[]", "\udcff", '{"unknown": 1}', '{"revision": 1, "next_life": 1, "groups": {"a": []}}']
LATER = '{"revision": 1, "next_life": 1, "groups": {}, "schema_version": 99}'


@pytest.mark.parametrize("text", [*DAMAGED, LATER])
def test_a_damaged_state_is_said_and_set_aside_and_no_revision_is_written_over(store: Store, text: str) -> None:
    path = store.directory / "state.json"
    path.write_text(text, errors="surrogateescape")
    before = path.read_bytes()
    store.save_revision(7, {}, "done", "uid 0")
    with pytest.raises(WsgigroupsError, match="cannot read"):
        store.load()
    assert path.read_bytes() == before
    said: list[str] = []
    assert store.load_or_set_aside(lambda level, line: said.append(f"{level}: {line}")) == Stored(7)
    (line,) = said
    assert line.startswith("error: cannot read")
    assert "state.json.damaged-1" in line
    assert path.with_name("state.json.damaged-1").read_bytes() == before
    store.save(Stored(8))
    assert store.load() == Stored(8)


def test_damaged_states_are_kept_and_bounded(store: Store) -> None:
    for number in range(12):
        (store.directory / "state.json").write_text(f"damaged {number}")
        store.load_or_set_aside(lambda _level, _line: None)
    kept = sorted(path for path in store.directory.iterdir() if "damaged" in path.name)
    assert [path.read_text() for path in kept] == [f"damaged {number}" for number in (*range(8), 11)]


def test_a_state_of_an_earlier_version_is_loaded(store: Store) -> None:
    (store.directory / "state.json").write_text('{"revision": 3, "next_life": 20000, "groups": {"a": {}}}')
    assert store.load() == Stored(3, 20_000, {"a": {}})


def test_what_was_lost_is_no_reason_to_write_over_a_revision(store: Store) -> None:
    store.save_revision(12, {}, "done", "uid 0")
    assert store.load() == Stored(12)


def test_an_outcome_that_a_dead_manager_left_open_is_interrupted(store: Store) -> None:
    for number, outcome in ((1, "done"), (2, "pending"), (3, "failed"), (4, "pending")):
        store.save_revision(number, {}, outcome, "uid 0")
    (store.revisions / "00000004.json").write_text("{")
    assert store.interrupt_pending() == [2]
    assert store.interrupt_pending() == []
    (store.revisions / "00000004.json").unlink()
    assert [found["outcome"] for found in store.history()] == ["failed", "interrupted", "done"]


def test_revisions_are_kept_with_their_outcome_newest_first_and_bounded(store: Store) -> None:
    for number in range(1, KEPT_REVISIONS + 6):
        store.save_revision(number, {"version": 1, "n": number}, "pending", "uid 0")
    store.set_outcome(KEPT_REVISIONS + 5, "done")
    history = store.history()
    assert len(history) == KEPT_REVISIONS
    assert (history[0]["revision"], history[0]["outcome"]) == (KEPT_REVISIONS + 5, "done")
    assert "document" not in history[0]
    assert store.document(KEPT_REVISIONS)["n"] == KEPT_REVISIONS
    with pytest.raises(WsgigroupsError, match="cannot find revision 1"):
        store.document(1)
    for path in store.revisions.iterdir():
        assert json.loads(path.read_text())
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_what_is_stored_already_is_not_written_again_unless_the_file_is_another(store: Store) -> None:
    path = store.directory / "state.json"
    store.save(Stored(revision=1, groups={"blog": {"stopped": False}}))
    written = path.stat().st_ino, path.stat().st_mtime_ns
    store.save(Stored(revision=1, groups={"blog": '{"stopped": false}'}))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == written
    path.write_text("{}")
    store.save(Stored(revision=1, groups={"blog": {"stopped": False}}))
    assert store.load().groups == {"blog": {"stopped": False}}
    path.unlink()
    store.save(Stored(revision=1, groups={"blog": {"stopped": False}}))
    assert store.load().revision == 1


def test_the_newest_revision_says_how_it_ended_and_is_read_once(store: Store) -> None:
    assert store.newest() is None
    store.save_revision(1, {"version": 1}, "pending", "uid 0")
    newest = store.newest()
    assert newest is not None
    assert (newest["revision"], newest["outcome"], newest.get("ended_at")) == (1, "pending", None)
    assert store.newest() is newest, "the file is the same"
    store.set_outcome(1, "rolled-back")
    newest = store.newest()
    assert newest is not None
    assert (newest["outcome"], newest["ended_at"][-1:]) == ("rolled-back", "Z")
    assert "document" not in newest
    store.save_revision(3, {"version": 1}, "done", "uid 0")
    assert (store.number_before(3), store.number_before(1)) == (1, None)
    (store.revisions / "00000003.json").write_text("{")
    assert store.newest() is None
