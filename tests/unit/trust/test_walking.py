"""Walking and opening paths as whoever runs the tests: links, missing parts, what ends where; nobody else is needed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgigroups.trust import walking
from wsgigroups.trust.judging import Trusted
from wsgigroups.trust.walking import UntrustedPathError

HERE = walking.trusted_here()
NOBODY = Trusted(frozenset(), frozenset())


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Nothing stays open, whatever happened."""
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def append(path: Path, trusted: Trusted | None = HERE) -> None:
    fd = walking.open_to_append(str(path), trusted)
    os.write(fd, b"x")
    os.close(fd)


def test_a_file_is_made_once_and_appended_to(tmp_path: Path) -> None:
    append(tmp_path / "log")
    append(tmp_path / "log", None)
    assert (tmp_path / "log").read_bytes() == b"xx"
    assert (tmp_path / "log").stat().st_mode & 0o137 == 0


def test_links_on_the_way_are_followed_and_one_at_the_end_is_not(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "relative").symlink_to("real/../real")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative")
    append(tmp_path / "absolute" / "log")
    assert (tmp_path / "real" / "log").read_bytes() == b"x"
    for trusted in (HERE, None):
        (tmp_path / "end").unlink(missing_ok=True)
        (tmp_path / "end").symlink_to("real/log")
        with pytest.raises(OSError, match="end") as caught:
            append(tmp_path / "end", trusted)
        assert caught.value.errno == errno.ELOOP
    assert (tmp_path / "real" / "log").read_bytes() == b"x"


def test_circles_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="a/x") as caught:
        walking.follow(str(tmp_path / "a" / "x"), HERE)
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize("path", ["log/more", "no/log", "no/../log", ""])
def test_what_no_file_can_be_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "log").touch()
    with pytest.raises((NotADirectoryError, FileNotFoundError, IsADirectoryError)):
        append(tmp_path / path)


def test_a_fifo_without_a_reader_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OSError, match="No such device"):
        append(tmp_path / "log")


def test_directories_are_made_with_their_parents(tmp_path: Path) -> None:
    os.close(walking.make_directories(str(tmp_path / "a" / "b"), HERE, 0o700))
    os.close(walking.make_directories(str(tmp_path / "a" / "b"), HERE))
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    for name in ("file", "file/a"):
        with pytest.raises(NotADirectoryError):
            walking.make_directories(str(tmp_path / name), HERE)
    with pytest.raises(FileNotFoundError):
        walking.open_directory(str(tmp_path / "c"), HERE)


def test_a_directory_that_was_made_meanwhile_is_judged_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.mkdir

    def faster(name: str, mode: int, dir_fd: int) -> None:
        real(name, dir_fd=dir_fd)
        os.chmod(name, 0o777, dir_fd=dir_fd)
        real(name, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", faster)
    monkeypatch.setattr(walking, "is_alone", lambda _uids: False)
    with pytest.raises(UntrustedPathError, match="everybody can write it"):
        walking.make_directories(str(tmp_path / "a" / "b"), HERE)
    assert not (tmp_path / "a" / "b").exists()


def test_every_way_of_opening_judges(tmp_path: Path) -> None:
    for attempt in (
        lambda: append(tmp_path / "log", NOBODY),
        lambda: walking.make_directories(str(tmp_path / "a"), NOBODY),
        lambda: walking.open_directory(str(tmp_path), NOBODY),
        lambda: walking.open_directory("/", NOBODY),
    ):
        with pytest.raises(UntrustedPathError):
            attempt()
    assert os.listdir(tmp_path) == []
    assert walking.doubt_about(str(tmp_path), NOBODY) is not None
    assert walking.doubt_about(str(tmp_path / "a" / "b"), HERE) is None


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_private_directory_is_nobody_elses(tmp_path: Path, mode: int) -> None:
    walking.private_directory(str(tmp_path / "run"), 0o755)
    (tmp_path / "run").chmod(mode)
    with pytest.raises(UntrustedPathError):
        walking.private_directory(str(tmp_path / "run"), 0o755)
