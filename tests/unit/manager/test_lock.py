"""The lock of a run directory: one holder, whatever the order of opening, locking and removing."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager import lock

REFUSED = rf"another one \(pid {os.getpid()}\) holds"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manager.lock"


def test_one_at_a_time_and_nothing_is_left(path: Path) -> None:
    with lock.held(path):
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(WsgigroupsError, match=REFUSED), lock.held(path):
            raise AssertionError("held twice")
        assert path.exists()  # the one that was refused has not removed it
    assert not path.exists()
    with lock.held(path):
        assert path.exists()


def test_the_file_of_one_that_was_killed_is_taken_over(path: Path) -> None:
    path.write_text("4711 and more\n")
    with lock.held(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_the_lock_goes_when_its_block_fails(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.held(path):
        raise ZeroDivisionError
    assert not path.exists()


def between_open_and_lock(monkeypatch: pytest.MonkeyPatch, *actions: object) -> None:
    """Let this happen, an action per call, just before a file that was opened is locked."""
    left = list(actions)
    real = fcntl.flock

    def flock(fd: int, operation: int) -> None:
        if left:
            left.pop(0)()  # type: ignore[operator]
        real(fd, operation)

    monkeypatch.setattr(lock.fcntl, "flock", flock)


def test_a_file_that_was_removed_before_it_was_locked_is_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One opens, the holder removes and goes, a third makes the file anew and holds it: the first must see that."""
    first, third = contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(lock.held(path))

    def change_hands() -> None:
        first.close()
        monkeypatch.undo()
        third.enter_context(lock.held(path))

    between_open_and_lock(monkeypatch, change_hands)
    with third:
        with pytest.raises(WsgigroupsError, match=REFUSED), lock.held(path):
            raise AssertionError("two hold the lock")
        assert path.exists()
    assert not path.exists()


def test_a_file_that_was_removed_and_not_made_anew_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = contextlib.ExitStack()
    first.enter_context(lock.held(path))
    between_open_and_lock(monkeypatch, first.close)
    with lock.held(path):
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(WsgigroupsError, match=REFUSED), lock.held(path):
            raise AssertionError("held twice")


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept\n")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), lock.held(path):
        raise AssertionError("followed")
    assert (tmp_path / "elsewhere").read_text() == "kept\n"
