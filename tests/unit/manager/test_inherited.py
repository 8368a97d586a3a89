"""What processes have of the first manager stays theirs, whatever those that follow have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wsgigroups.manager.inherited import inherited, note
from wsgigroups.manager.store import Store, Stored
from wsgigroups.targets.resolve import Surroundings


def around(directory: Path, cwd: str, **locale: str) -> Surroundings:
    return Surroundings(directory, directory, Path(cwd), locale, b"key")


def test_what_was_noted_comes_back_in_other_surroundings(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    stored, own = Stored(), around(tmp_path, "/srv", LANG="de_DE.UTF-8")
    note(stored, own)
    store.save(stored)
    other = around(tmp_path / "run", "/", LANG="C", LC_ALL="C")
    assert inherited(store.load(), other) == replace(other, cwd=own.cwd, locale=own.locale)


def test_no_locale_is_one_too(tmp_path: Path) -> None:
    stored = Stored()
    note(stored, around(tmp_path, "/srv"))
    assert inherited(stored, around(tmp_path, "/", LANG="C")).locale == {}


def test_what_an_earlier_version_did_not_store_is_ones_own(tmp_path: Path) -> None:
    own = around(tmp_path, "/", LANG="C")
    assert inherited(Stored(), own) == own
