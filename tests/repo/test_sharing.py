"""Runs of pytest at the same time: every file is somebody's, nobody's twice, and the long ones come first."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.sharing import Taken, ordered, run

from tools import check, environment

FILES = "tests/unit/lifecycle"


def share(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", f"--share={directory}", *options, FILES]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=environment.CLONE, check=False)


def files_of(output: str) -> list[str]:
    return re.findall(rf"^({FILES}/\w+\.py) ", output, re.MULTILINE)


def test_a_file_is_taken_once(tmp_path: Path) -> None:
    one, other = Taken(tmp_path), Taken(tmp_path)
    assert one.take("tests/a.py")
    assert not other.take("tests/a.py")
    assert other.take("tests/b.py")


def test_what_nobody_else_has_comes_first_and_then_what_takes_long() -> None:
    files = ["tests/x/test_short.py", "tests/y/test_long.py", "tests/alone/test_a.py", "tests/z/test_other.py"]
    assert ordered(files, ["tests/alone"], ["tests/y/test_long.py"]) == [files[2], files[1], files[0], files[3]]


def test_a_run_has_what_no_other_run_has_taken(tmp_path: Path) -> None:
    present = sorted(
        path.relative_to(environment.CLONE).as_posix() for path in (environment.CLONE / FILES).glob("test_*.py")
    )
    before, *rest = present
    assert Taken(tmp_path).take(before)
    done = share(tmp_path, f"--first={rest[-1]}")
    assert done.returncode == 0, done.stdout
    assert sorted(files_of(done.stdout)) == rest
    assert files_of(done.stdout)[0] == rest[-1]
    assert re.search(r"\d+ passed, \d+ deselected", done.stdout)
    again = share(tmp_path)
    assert (again.returncode, files_of(again.stdout)) == (0, []), again.stdout


def test_a_run_that_is_to_stop_takes_no_other_file(tmp_path: Path) -> None:
    """`-x`: what is left is for the others."""
    ran: list[str] = []
    session = cast("Any", SimpleNamespace(shouldfail="", shouldstop="", Failed=pytest.Session.Failed))

    def protocol(item: Any, nextitem: Any) -> None:
        ran.append(item.path.name)
        session.shouldfail = "stopping after 1 failures"

    hook = SimpleNamespace(pytest_runtest_protocol=protocol, pytest_deselected=lambda items: None)
    session.config = SimpleNamespace(rootpath=tmp_path, hook=hook)
    session.items = [SimpleNamespace(path=tmp_path / name) for name in ("a", "a", "b", "c")]
    with pytest.raises(pytest.Session.Failed, match="after 1"):
        run(session, tmp_path, [])
    assert ran == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_one_run_alone_has_what_two_would_take_from_each_other(tmp_path: Path) -> None:
    first, *others = check.shares(str(tmp_path), [])
    for path in check.ONE_AT_A_TIME:
        assert f"--first={path}" in first
        assert f"--ignore={path}" not in first
        assert all(f"--ignore={path}" in other for other in others)
    assert len(others) == check.RUNS - 1


def test_tests_with_a_bound_on_time_are_found() -> None:
    found = check.measured(environment.CLONE)
    assert "tests/process/manager/test_storms.py" in found
    assert "tests/unit/plan/test_rollout.py" not in found
