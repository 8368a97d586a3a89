"""The lists of lines to break fit the code: each text is there once, each test exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tree import ROOT

from tools import mutants


@pytest.mark.parametrize("mutant", mutants.read(), ids=lambda mutant: f"{mutant.file}:{mutant.old.strip()[:40]}")
def test_each_entry_is_about_something(mutant: mutants.Mutant) -> None:
    assert mutants.found(mutant) == 1
    assert mutant.old != mutant.new
    path, _, name = mutant.test.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in text
    compile((ROOT / mutant.file).read_text(encoding="utf-8").replace(mutant.old, mutant.new), mutant.file, "exec")


def test_a_file_is_as_it_was_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = mutants.Mutant("file.py", "True", "False", "test_file.py")
    path = tmp_path / mutant.file
    path.write_text("defended = True\n")
    before, changed = path.read_bytes(), path.stat().st_mtime_ns
    monkeypatch.setattr(mutants.subprocess, "run", lambda *_arguments, **_more: seen(path.read_bytes()))

    class Done:
        returncode = 0

    def seen(now: bytes) -> Done:
        assert now != before
        return Done()

    assert mutants.survives(mutant, tmp_path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)


def test_shares_make_up_the_whole() -> None:
    parts = [mutants.chosen((), f"{part}/3") for part in (1, 2, 3)]
    assert sorted(str(mutant) for part in parts for mutant in part) == sorted(map(str, mutants.read()))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("test", "pure"),
    [
        ("tests/unit/plan/test_code.py", True),
        ("tests/process/manager/test_recycling.py", False),
    ],
)
def test_only_what_starts_no_process_is_tried_in_a_copy(test: str, pure: bool) -> None:
    assert mutants.Mutant("wsgigroups/plan/code.py", "a", "b", test).pure is pure
    assert not mutants.Mutant("wsgigroups/plan/code.py", "a", "b", test, root=True).pure
    assert not mutants.Mutant("wsgigroups/manager/lock.py", "a", "b", test).pure


def test_survivors_are_counted_and_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    weak = mutants.Mutant("wsgigroups/plan/code.py", "NAMED_FILES = 5", "NAMED_FILES = 6", "tests/unit/plan")
    strong = mutants.Mutant("wsgigroups/plan/effects.py", "maxsize=1024", "maxsize=512", "tests/unit/plan")
    monkeypatch.setattr(mutants, "read", lambda: [weak, strong])
    monkeypatch.setattr(mutants, "survives", lambda mutant, _tree: mutant is weak)
    assert mutants.main(["--jobs", "2"]) == 1
    told = capsys.readouterr().out
    assert "2 tried, 1 survived" in told
    assert told.count(f"SURVIVED {weak}") == 1
