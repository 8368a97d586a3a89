"""A file of lines with a cap: how many are kept, and what a line becomes behind one that was torn."""

from __future__ import annotations

from pathlib import Path

from wsgigroups.manager.line_file import LineFile


def test_as_many_files_are_kept_as_was_said(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "x", "lines", lambda _level, _text: None, maximum_bytes=2, older=2)
    for number in range(6):
        file.write(b"%d\n" % number, 1)
    file.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x": "5\n", "x.1": "4\n", "x.2": "3\n"}


def test_a_line_behind_half_of_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("whole\nhal")
    file = LineFile(tmp_path / "x", "lines", lambda _level, _text: None, maximum_bytes=100)
    file.write(b"next\n", 1)
    file.close()
    assert (tmp_path / "x").read_text() == "whole\nhal\nnext\n"


def test_what_cannot_be_stored_is_said_once_and_counted(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "not yet" / "x"
    file = LineFile(path, "lines", lambda _level, text: said.append(text), maximum_bytes=100)
    file.write(b"1\n", 1)
    file.write(b"2\n", 1)
    assert said == [f"cannot store lines in {path}; what runs is not concerned"]
    path.parent.mkdir()
    file.write(b"3\n", 1)
    file.close()
    assert said[1:] == ["2 lines are not stored; from now on they can be again"]
    assert path.read_text() == "3\n"
