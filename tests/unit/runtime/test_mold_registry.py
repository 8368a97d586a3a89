"""Which processes a mold may name: looked at with real ones, whatever it says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from wsgigroups.runtime import kernel
from wsgigroups.runtime.spawner.children import Child, Registry
from wsgigroups.runtime.spawner.molds import MoldRegistry, RuleError

SLEEP = ["sleep", "600"]


@pytest.fixture
def children() -> Iterator[dict[str, int]]:
    """Two alike, and one that may do less."""
    started = {
        "mold": subprocess.Popen(SLEEP),
        "forked": subprocess.Popen(SLEEP),
        "confined": subprocess.Popen(SLEEP, preexec_fn=kernel.set_no_new_privileges),
        "grandchild": subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE),
    }
    pids = {name: process.pid for name, process in started.items()}
    out = started["grandchild"].stdout
    assert out is not None
    pids["grandchild"] = int(out.readline())
    out.close()
    yield pids
    os.kill(pids["grandchild"], 9)
    for process in started.values():
        process.kill()
        process.wait()


def accepted(named: int, like: int, registry: Registry | None = None) -> bool:
    molds = MoldRegistry(registry or Registry(), lambda _level, _text: None, lambda *_told: None)
    try:
        molds._require_child(named, like)
    except RuleError:
        return False
    return True


def test_own_child_with_the_same_rights_is_accepted(children: dict[str, int]) -> None:
    assert accepted(children["forked"], children["mold"])


@pytest.mark.parametrize("named", ["confined", "grandchild"])
def test_another_ones_child_and_other_rights_are_not(children: dict[str, int], named: str) -> None:
    if named == "confined" and kernel.has_no_new_privileges():
        pytest.skip("whoever runs these tests has no new privileges, and neither has any child")
    assert not accepted(children[named], children["mold"])


@pytest.mark.parametrize("pid", [0, -1, 1, 2**22 + 1, 2**63, 2**70])
def test_number_that_is_no_child(children: dict[str, int], pid: int) -> None:
    assert not accepted(pid, children["mold"])


def test_known_one_is_not(children: dict[str, int]) -> None:
    registry = Registry()
    registry.add(Child(1, children["forked"], {}, -1, -1, -1, -1))
    assert not accepted(children["forked"], children["mold"], registry)
