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

from tools import check, environment, facts, second_look, shares

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
    first, *others = shares.shares(str(tmp_path), [], as_account=False)
    for path in shares.ONE_AT_A_TIME:
        assert f"--first={path}" in first.command
        assert f"--ignore={path}" not in first.command
        assert all(f"--ignore={path}" in other.command for other in others)
    assert len(others) == shares.RUNS - 1
    assert len({share.failures for share in (first, *others)}) == shares.RUNS


def test_one_run_of_the_ordinary_account_measures_branches(tmp_path: Path) -> None:
    other, covers = shares.shares(str(tmp_path), [], as_account=True)
    assert covers.command[:4] == ("coverage", "run", f"--data-file={tmp_path}/coverage", "-m")
    for path in shares.COVERED:
        assert f"--first={path}" in covers.command
        assert f"--ignore={path}" in other.command
    for path in shares.NOT_MEASURED:
        assert f"--ignore={path}" in covers.command
        assert f"--ignore={path}" not in other.command
    of_root = shares.shares(str(tmp_path), [], as_account=False)
    assert {share.command[0] for share in (other, *of_root)} == {"pytest"}
    assert not any(f"--ignore={path}" in share.command for share in of_root for path in shares.COVERED)


def test_tests_with_a_bound_on_time_are_found() -> None:
    found = shares.measured(environment.CLONE)
    assert "tests/process/manager/test_storms.py" in found
    assert "tests/unit/plan/test_rollout.py" not in found


def test_a_run_tells_what_failed_and_nothing_if_it_does_not_know(tmp_path: Path) -> None:
    tests, told = tmp_path / "test_it.py", tmp_path / "failed"
    tests.write_text(
        "import pytest\n\ndef test_a(): pass\n@pytest.mark.parametrize('n', [1, 2])\ndef test_b(n): assert n == 1\n"
    )
    conftest = (environment.CLONE / "tests" / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {environment.CLONE / 'tests'}\nmarkers = root\n")

    def run_it() -> int:
        command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", f"--failures={told}", str(tests)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=100, check=False).returncode

    assert run_it() == 1
    assert told.read_text() == "test_it.py::test_b[2]\n"
    told.unlink()
    tests.write_text("import nothing_of_that_name\n")
    assert run_it() == 2
    assert not told.exists()


def share_that_failed(directory: Path, name: str, *tests: str) -> shares.Share:
    file = directory / name
    if tests:
        file.write_text("".join(f"{test}\n" for test in tests))
    return shares.Share(name, ("pytest",), as_account=False, failures=file)


@pytest.mark.parametrize(
    ("tests", "passes", "failed", "by_chance"),
    [
        ((), True, ("one",), ()),  # it died, or was interrupted: nobody knows what would have failed
        (("a", "b"), True, (), ("a", "b")),
        (("a", "b"), False, ("one",), ()),
        (tuple("abcdef"), True, ("one",), ()),
    ],
)
def test_a_few_failures_have_a_second_look(
    tmp_path: Path, tests: tuple[str, ...], passes: bool, failed: tuple[str, ...], by_chance: tuple[str, ...]
) -> None:
    verdict = second_look.look_again([share_that_failed(tmp_path, "one", *tests)], lambda _share, _tests: passes)
    assert verdict == second_look.Verdict(failed, by_chance)


def test_each_run_has_a_second_look_of_its_own_and_they_are_counted_together(tmp_path: Path) -> None:
    one, other = share_that_failed(tmp_path, "one", "a", "b"), share_that_failed(tmp_path, "other", "c")
    verdict = second_look.look_again([one, other], lambda _share, tests: tests == ["c"])
    assert verdict == second_look.Verdict(("one",), ("c",))
    many = [share_that_failed(tmp_path, str(n), f"a{n}", f"b{n}") for n in range(3)]
    assert second_look.look_again(many, lambda _share, _tests: True).failed == ("0", "1", "2")


def test_what_failed_without_the_accelerator_is_looked_at_again_without_it(tmp_path: Path) -> None:
    program = tmp_path / "pytest"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nprint(*sys.argv[1:], file=open('args', 'w'))\n"
        "sys.exit(os.environ.get('WSGIGROUPS_ACCELERATOR') != '0')\n"
    )
    program.chmod(0o755)
    bench = check.Bench(tmp_path, tmp_path, facts.Account("somebody", 65534, 65534))
    bare = shares.without_accelerator(str(tmp_path))
    assert all((environment.CLONE / path).exists() for path in shares.WITHOUT_ACCELERATOR)
    bare.failures.write_text("tests/a.py::test_a\n")
    assert second_look.look_again([bare], bench.run_again) == second_look.Verdict((), ("tests/a.py::test_a",))
    assert (tmp_path / "args").read_text() == "tests/a.py::test_a\n"
