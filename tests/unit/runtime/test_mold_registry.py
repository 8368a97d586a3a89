"""Which processes a mold may name: looked at with real ones, whatever it says."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator

import pytest

from wsgigroups.runtime import kernel
from wsgigroups.runtime.spawner import molds
from wsgigroups.runtime.spawner.children import Child, Registry
from wsgigroups.runtime.spawner.molds import MoldRegistry, RuleError
from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.lines import encode_line

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
    registered = MoldRegistry(registry or Registry(), lambda _level, _text: None, lambda *_told: None)
    try:
        registered._require_child(named, like)
    except RuleError:
        return False
    return True


def test_own_child_with_the_same_rights_is_accepted(children: dict[str, int]) -> None:
    assert accepted(children["forked"], children["mold"])


def test_what_cannot_be_looked_at_is_not_alike(children: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With no descriptor left both were nothing, and so the same."""
    monkeypatch.setattr(molds, "_credentials", lambda _pid: {})
    assert not accepted(children["forked"], children["mold"])


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


def test_spawner_without_descriptors_ends_the_mold_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended itself: what a mold had forked could not be held, and nobody had thought of that."""
    told: list[messages.Message] = []
    registered = MoldRegistry(Registry(), lambda _level, _text: None, told.append)
    fds = registered.prepare(messages.Fork(1, {}, "1"))
    registered.founded("1", os.getpid())

    def full(_pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(kernel, "pidfd_open", full)
    monkeypatch.setattr(registered, "_require_child", lambda _pid, _like: None)
    os.write(fds[1], encode_line(messages.Molded("1", 2**22 + 1)))
    (answers,) = registered.answers()
    registered.hear(answers)
    assert registered.ask(messages.Fork(2, {}, "1"), (), [-1, -1, -1]) == ""
    os.write(fds[1], encode_line(messages.Spawned(2, 2**22 + 2)))
    registered.hear(answers)
    assert messages.Refused(2, "cannot fork: its mold has ended") in told
    assert "Too many open files" in str(told[-1])
    for fd in fds:
        os.close(fd)
