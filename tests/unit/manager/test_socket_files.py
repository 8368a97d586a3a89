"""Socket files that a manager left which died: those of no group go, everything else stays."""

from __future__ import annotations

import socket
from pathlib import Path

from support.targets import small_target

from wsgigroups.manager.core import model
from wsgigroups.manager.socket_files import SocketFiles
from wsgigroups.plan.desired import GroupTarget, ListenerTarget


def target(path: Path) -> GroupTarget:
    return small_target(path.stem, listeners=(ListenerTarget(f"unix:{path}"),))


def test_what_was_about_to_be_and_belongs_to_no_group_is_removed(tmp_path: Path) -> None:
    logged: list[str] = []
    files = SocketFiles(tmp_path, lambda _level, text: logged.append(text))
    old, new, other = (tmp_path / f"{name}.sock" for name in ("old", "new", "other"))
    for path in (old, new, other):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    state = model.State({"old": model.GroupState(target(old))})
    files.note(state, [target(new)])
    files.clear(state)
    assert (old.exists(), new.exists(), other.exists()) == (True, False, True)
    assert any(f"removed {new}" in line for line in logged)
    files.clear(state)
    assert len(logged) == 1


def test_what_somebody_answers_on_and_what_is_no_socket_stays(tmp_path: Path) -> None:
    logged: list[str] = []
    files = SocketFiles(tmp_path, lambda _level, text: logged.append(text))
    live, file, gone = (tmp_path / f"{name}.sock" for name in ("live", "file", "gone"))
    file.write_text("mine")
    files.note(model.State(), [target(live), target(file), target(gone)])
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(live))
        sock.listen()
        files.clear(model.State())
        assert live.exists()
    assert file.read_text() == "mine"
    assert len(logged) == 2


def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    for text in ("[1]", "{", '{"/x": "y"}', "\xff"):
        (tmp_path / "sockets.json").write_text(text, encoding="latin-1")
        SocketFiles(tmp_path, lambda _level, _text: None).clear(model.State())
