"""A manager that cannot have its directories says which one, why, and how to choose another; and serves nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(tmp_path: Path, **directories: Path) -> subprocess.CompletedProcess[str]:
    where = {name: directories.get(name, tmp_path / name) for name in ("run", "state", "log")}
    options = [text for name, path in where.items() for text in (f"--{name}-dir", str(path))]
    return subprocess.run(
        [sys.executable, "-m", "wsgigroups", *options, "run"], capture_output=True, text=True, timeout=40, check=False
    )


@pytest.mark.parametrize("name", ["run", "state", "log"])
def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / name
    done = run(tmp_path, **{name: path})
    assert done.returncode == 1
    assert f"cannot use {'the state directory ' if name == 'state' else ''}{path}" in done.stderr
    assert "Not a directory" in done.stderr
    assert f"hint: choose another with --{name}-dir" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.ordinary
@pytest.mark.parametrize("name", ["run", "state", "log"])
def test_one_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    path = Path("/") / name
    done = run(tmp_path, **{name: path})
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert f"hint: choose another with --{name}-dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_is_too_deep_for_sockets_is_named(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100)
    done = run(tmp_path, run=path)
    assert done.returncode == 1
    assert f"cannot use {path} as the run directory: its path is too long for sockets in it" in done.stderr
