"""A rehearsal believes a version that says what it is, and nothing else."""

from __future__ import annotations

import sys

import pytest

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.upgrade import rehearsal
from wsgigroups.manager.upgrade.rehearsal import InstalledVersion


def ask(script: str, longest_s: float = 30.0) -> InstalledVersion:
    return rehearsal.ask([sys.executable, "-I", "-S", "-c", script], longest_s)


def test_a_version_says_what_it_is() -> None:
    found = ask('print("a word"); print(\'{"version": "2", "digest": "d", "abis": [1, 2], "later": 0}\')')
    assert found == InstalledVersion("2", "d", (1, 2))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "does not say what it is"),
        ("print('[]')", "does not say what it is"),
        ("print('{')", "does not say what it is"),
        ("raise SystemExit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("raise RuntimeError('half installed')", "half installed"),
        ("import sys; sys.exit('error: cannot find x\\nhint: look')", "cannot take over: cannot find x"),
        ("import sys; sys.exit('error: \\x1b[31mred')", r"\\x1b\[31mred"),
    ],
)
def test_what_it_says_else_is_the_reason_of_a_refusal(script: str, said: str) -> None:
    with pytest.raises(WsgigroupsError, match=said) as refused:
        ask(script)
    assert "stays in charge" in str(refused.value.hint)


def test_one_that_does_not_end_is_ended() -> None:
    with pytest.raises(WsgigroupsError, match=r"within 0\.5 s"):
        ask("import time; time.sleep(600)", longest_s=0.5)


def test_what_cannot_be_executed_is_a_refusal() -> None:
    with pytest.raises(WsgigroupsError, match="No such file"):
        rehearsal.ask(["/nowhere/python"])
