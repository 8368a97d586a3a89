"""A manager that cannot have its directories says which one, why, and how to choose another; and serves nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

from wsgigroups.client import Client


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In the place of pytest's, whose path may be too long for sockets."""
    with tempfile.TemporaryDirectory(prefix="wg-", dir="/tmp") as path:
        yield Path(path)


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


@pytest.mark.parametrize("length", [200, 90])
def test_one_that_is_too_deep_for_sockets_is_named(tmp_path: Path, length: int) -> None:
    """One of 90 bytes has room for the control socket, and none for a spawner's."""
    path = tmp_path / "x"
    path = path.with_name("x" * (length - len(str(tmp_path)) - 1))
    done = run(tmp_path, run=path)
    assert done.returncode == 1
    assert f"cannot use {path} as the run directory: its path is too long for sockets in it" in done.stderr


def test_a_directory_of_ours_that_everybody_can_write_has_the_run_directory_in_it(manager: ManagerUnderTest) -> None:
    volume = manager.base / "volume"
    volume.mkdir()
    volume.chmod(0o2777)
    text = f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
    with manager.foreground(f"--run-dir={volume}", str(manager.write(text))) as process:
        client = Client(volume / f"wsgigroups-{os.geteuid()}")
        manager.wait_for("it answers", client.running)
        assert volume.stat().st_mode & 0o7777 == 0o3777
        assert manager.cli(f"--run-dir={volume}", "status").returncode == 0
        process.terminate()
        assert process.wait(40) == 0
    assert f"{volume} is sticky now" in manager.foreground_log()
