"""Finding interpreters without running them, and judging paths by owner and mode."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.interpreters import can_execute, can_read, find_interpreter
from wsgigroups.trust.walking import untrusted_component

BASE = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody can enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A venv made by venv itself."""
    home = tmp_path / "venv"
    subprocess.run([str(BASE), "-I", "-m", "venv", "--without-pip", str(home)], check=True)
    return home


def test_the_managers_own_interpreter() -> None:
    found = find_interpreter(None)
    assert (found.executable, found.python_home, found.kind) == (BASE, None, "manager")
    assert found.version == sys.version_info[:3]


def test_a_venv_leads_to_its_base_interpreter(made: Path) -> None:
    found = find_interpreter(made)
    assert (found.executable, found.python_home, found.kind) == (BASE, made, "venv")
    assert found.version == sys.version_info[:3]


def test_the_binary_of_a_venv_is_not_what_counts(made: Path) -> None:
    """A tenant who replaces bin/python gains nothing: it is never run."""
    evil = made / "bin" / "python"
    evil.unlink()
    evil.write_text("#!/bin/sh\n")
    evil.chmod(0o755)
    assert find_interpreter(made).executable == BASE


def test_a_venv_of_virtualenv(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text(
        f"home = {BASE.parent}\nversion_info = 3.9.7.final.0\nbase-executable = {BASE}\n"
    )
    found = find_interpreter(tmp_path)
    assert (found.executable, found.version) == (BASE, (3, 9, 7))


def test_a_venv_with_only_a_home(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for name in ("python", "python3.9"):
        (base / name).write_text("")
        (base / name).chmod(0o755)
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text(f"home = {base}\nversion_info = 3.9.7\n")
    assert find_interpreter(venv).executable == base / "python3.9"


def test_conda_and_plain_prefixes(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python3.10"
    python.write_text("")
    python.chmod(0o755)
    (tmp_path / "bin" / "python3").symlink_to("python3.10")
    found = find_interpreter(tmp_path)
    assert (found.executable, found.kind, found.version) == (python, "prefix", None)
    header = tmp_path / "include" / "python3.10" / "patchlevel.h"
    header.parent.mkdir(parents=True)
    header.write_text('#define PY_VERSION      \t"3.10.4+"\n')
    assert find_interpreter(tmp_path).version == (3, 10, 4)
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "python-3.10.13-h955ad1f_0.json").write_text("{}")
    found = find_interpreter(tmp_path)
    assert (found.kind, found.version) == ("conda", (3, 10, 13))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "neither pyvenv.cfg nor bin/python3"),
        ({"pyvenv.cfg": "home = /nowhere/bin\nversion = 3.9.1\n"}, "base interpreter is gone"),
        ({"pyvenv.cfg": "\0\xff"}, "base interpreter is gone"),
        ({"bin/python3.7": "", "bin/python3": ""}, "it is Python 3.7"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name == "bin/python3":
            path.symlink_to("python3.7")
        else:
            path.write_text(text)
            path.chmod(0o755)
    with pytest.raises(WsgigroupsError, match=reason) as caught:
        find_interpreter(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_missing_and_wrong_places(tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError, match="does not exist"):
        find_interpreter(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(WsgigroupsError, match="not a directory"):
        find_interpreter(tmp_path / "file")
    os.mkfifo(tmp_path / "pyvenv.cfg")
    with pytest.raises(WsgigroupsError, match="is not a file"):
        find_interpreter(tmp_path)


def test_system_paths_are_trusted() -> None:
    assert untrusted_component(Path("/usr/bin/env")) is None
    assert untrusted_component(Path("/tmp")) is None, "sticky"
    assert untrusted_component(Path("/usr/nothing/here")) is None


def test_who_could_swap_a_path(tmp_path: Path) -> None:
    mine = os.geteuid()
    file = tmp_path / "directory" / "file"
    file.parent.mkdir(mode=0o755)
    file.write_text("")
    file.chmod(0o644)
    assert untrusted_component(file, mine) is None
    if mine != 0:
        assert untrusted_component(file) is not None, "it is not root's"
    file.chmod(0o666)
    assert untrusted_component(file, mine) == file
    file.chmod(0o644)
    file.parent.chmod(0o777)
    assert untrusted_component(file, mine) == file.parent
    file.parent.chmod(0o1777)
    assert untrusted_component(file, mine) is None, "a sticky directory protects its entries"
    link = tmp_path / "link"
    link.symlink_to("directory/../directory/file")
    file.parent.chmod(0o777)
    assert untrusted_component(link, mine) == file.parent, "links are followed"


def test_loops_of_links_end(open_directory: Path, tmp_path: Path) -> None:
    (open_directory / "a").symlink_to("b")
    (open_directory / "b").symlink_to("a")
    assert can_execute(open_directory / "a", 12345, 12345, ()) is False
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert untrusted_component(tmp_path / "a", os.geteuid()) is None


@pytest.mark.parametrize(
    ("mode", "uid_shift", "gid_shift", "expected"),
    [
        (0o700, 0, 0, True),
        (0o700, 1, 0, False),
        (0o710, 1, 0, True),
        (0o701, 1, 1, True),
        (0o710, 1, 1, False),
        (0o071, 0, 0, False),  # the owner's bits decide for the owner, whatever others may do
        (0o701, 1, 0, False),  # and the group's for a member
    ],
)
def test_mode_bits_decide_like_the_kernel(
    open_directory: Path, mode: int, uid_shift: int, gid_shift: int, expected: bool
) -> None:
    directory = open_directory / "directory"
    directory.mkdir()
    (directory / "file").write_text("")
    found = os.stat(directory)
    os.chmod(directory, mode)
    uid, gid = found.st_uid + uid_shift, found.st_gid + gid_shift
    if uid == 0:
        uid, expected = 0, True  # root is not stopped by bits
    answer = can_execute(directory / "file", uid, gid, ())
    os.chmod(directory, 0o700)
    assert answer == (True if expected else directory)


def test_reading_and_executing_differ(open_directory: Path) -> None:
    file = open_directory / "file"
    file.write_text("")
    other = 12345
    os.chmod(file, 0o644)
    assert can_read(file, other, other, ()) is True
    assert can_execute(file, other, other, ()) is True, "a file nobody can execute is data, which has to be read"
    os.chmod(file, 0o711)
    assert can_read(file, other, other, ()) is False
    assert can_execute(file, other, other, ()) is True
    os.chmod(open_directory, 0o700)
    assert can_execute(file, other, other, ()) == open_directory
