"""A spawner's socket is made again where it was, and nowhere where others could have put something in its way."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgigroups.runtime.spawner.found_again import bound_again


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "run" / "spawners" / "key.sock"
    made.parent.mkdir(parents=True)
    return made


@pytest.fixture
def listener(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))
        sock.listen(1)
        yield sock


def test_one_that_is_there_is_left_alone(listener: socket.socket, path: Path) -> None:
    assert bound_again(listener) is None
    path.unlink()
    path.symlink_to("/nowhere")
    assert bound_again(listener) is None


@pytest.mark.parametrize("removed", ["the socket", "spawners", "run"])
def test_what_was_removed_is_made_again(listener: socket.socket, path: Path, tmp_path: Path, removed: str) -> None:
    if removed == "the socket":
        path.unlink()
    else:
        shutil.rmtree(path.parent if removed == "spawners" else tmp_path / "run")
    made = bound_again(listener)
    assert made is not None
    with made, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        made.accept()[0].close()
    assert path.stat().st_mode & 0o777 == 0o600
    if removed != "the socket":
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_made_below_what_others_can_write(listener: socket.socket, path: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "run")
    for mode in (0o777, 0o770, 0o1777):  # a sticky directory is root's, as /tmp is
        tmp_path.chmod(mode)
        sticky_of_root = mode == 0o1777 and os.geteuid() == 0
        made = bound_again(listener)
        assert (made is not None) == sticky_of_root
        assert (tmp_path / "run").exists() == sticky_of_root
        if made:
            made.close()
            shutil.rmtree(tmp_path / "run")


def test_a_link_in_the_place_of_the_run_directory_is_not_followed(
    listener: socket.socket, path: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "victim").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "victim")
    assert bound_again(listener) is None
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_directory_of_somebody_else_is_not_used(
    listener: socket.socket, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "run")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    made = bound_again(listener)
    if made is not None:
        made.close()
    assert (made is None) == (os.getuid() != 0), "root's directories are anybody's to trust"
