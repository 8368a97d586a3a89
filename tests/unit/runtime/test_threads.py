"""Threads of the server's own, also where the module `threading` is not what it was."""

from __future__ import annotations

import _thread
import threading

import pytest

from wsgigroups.runtime.originals import Lock
from wsgigroups.runtime.threads import ServerThread


@pytest.mark.parametrize("patched", [False, True])
def test_a_thread_that_was_started_runs(monkeypatch: pytest.MonkeyPatch, patched: bool) -> None:
    """One that begins while the interpreter ends is a SIGSEGV on CPython 3.11: none may be left so by a start."""
    if patched:
        monkeypatch.setattr(threading, "current_thread", lambda: None)
    for _ in range(20):
        gate = Lock()
        gate.acquire()
        thread = ServerThread("a", gate.acquire)
        thread.start()
        assert thread.ident
        gate.release()
        assert thread.join(30)


class Forgetful(dict[threading.Thread, threading.Thread]):
    """What the module has threads in that begin, when another thread patches the module in that moment."""

    def __delitem__(self, key: threading.Thread) -> None:
        raise KeyError(key)


def test_one_that_begins_while_the_module_is_patched_runs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(threading, "_limbo", Forgetful())
    ran = Lock()
    ran.acquire()
    thread = ServerThread("a", ran.release)
    _thread.start_new_thread(thread.start, ())  # it waits for ever if the other never runs
    assert ran.acquire(timeout=30)
    assert thread.join(30)
    assert capfd.readouterr().err == ""
