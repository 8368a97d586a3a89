"""The list of defences fits the code: each text is there once, each test exists."""

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
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
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

    assert mutants.survives(mutant)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)
