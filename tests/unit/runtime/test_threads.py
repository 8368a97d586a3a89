"""Threads of the server's own, also where the module `threading` is not what it was."""

from __future__ import annotations

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
