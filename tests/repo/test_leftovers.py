"""The harness finds what tests leave behind: it has to fail for each kind of leftover, or it proves nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from support import leftovers, orphans
from support.leftovers import Announced, complaints, incidents

RECORD = """\
2026-01-01T00:00:00.000Z blog/1 life=1 pid=7 error: cannot import shop: ValueError: first
    Traceback (most recent call last):
      File "/srv/shop.py", line 3, in <module>
        raise ValueError("first")

    ValueError: first
2026-01-01T00:00:00.001Z blog/1 life=1 pid=7 info: ValueError: second is only a word here
"""
RAW = """\
Exception in thread Thread-1 (int):
Traceback (most recent call last):
  File "/usr/lib/python3.11/threading.py", line 1038, in _bootstrap_inner
    self.run()
LookupError: third
  this line belongs to nobody
"""


def test_each_traceback_is_an_incident_with_its_error() -> None:
    found = incidents(RECORD + RAW)
    assert [text.splitlines()[-1].strip() for text in found] == ["ValueError: first", "LookupError: third"]
    assert "/srv/shop.py" in found[0]
    assert incidents("Fatal Python error: Segmentation fault\n") == ["Fatal Python error: Segmentation fault"]
    assert incidents("x error: [BUG] impossible\n") == ["x error: [BUG] impossible"]
    assert incidents("Stack (most recent call first):\n  File x\n") == []


@pytest.mark.parametrize(
    ("announced", "words"),
    [
        ((), ["not announced", "not announced"]),
        ((Announced("first"),), ["not announced"]),  # one announcement excuses one traceback, not the file
        ((Announced("first"), Announced("third")), []),
        ((Announced("Traceback"),), []),
        ((Announced("first", 1), Announced("third", 1)), []),
        ((Announced("first", 2), Announced("third")), ["announced 2 times and seen 1"]),
        ((Announced("first"), Announced("third"), Announced("fourth")), ["announced at least once and seen 0"]),
        ((Announced("second"), Announced("first"), Announced("third")), ["seen 0 times: second"]),
    ],
)
def test_what_was_not_announced_and_what_did_not_come(announced: tuple[Announced, ...], words: list[str]) -> None:
    found = complaints({"a.log": RECORD, "b.log": RAW}, announced)
    assert len(found) == len(words)
    for text, word in zip(found, words, strict=True):
        assert word in text


def test_a_zombie_that_nobody_reaps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "SETTLES_S", 0.2)
    assert not orphans.adopts(), "a test that ran in this process before left it a subreaper"
    before = leftovers.lasting_zombies(os.getpid())  # of tests that ran in this process before
    code = "import os, sys; pid = os.fork() or os._exit(0); os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
    code += "print(pid, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        found = set(leftovers.lasting_zombies(os.getpid())) - set(before)
        assert [text.split()[0] for text in found] == [str(pid)]
        assert parent.stdin is not None
        parent.stdin.close()
    assert set(leftovers.lasting_zombies(os.getpid())) <= set(before)


def test_a_zombie_that_is_reaped_between_two_looks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reaped(psutil.Process):
        def status(self) -> str:
            return str(psutil.STATUS_ZOMBIE)

        def name(self) -> str:
            raise psutil.NoSuchProcess(self.pid)

    monkeypatch.setattr(leftovers, "_reaped_by_us", lambda _manager: [Reaped(os.getpid())])
    assert leftovers.lasting_zombies(os.getpid()) == []


def test_a_socket_that_is_left_is_found() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = Path(directory) / "below" / "x.sock"
        path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
        assert leftovers.sockets_below(Path(directory)) == [str(path)]
        path.unlink()
        assert leftovers.sockets_below(Path(directory)) == []


def test_a_descriptor_more_is_seen() -> None:
    before = leftovers.descriptors(os.getpid())
    with open("/dev/null") as file:
        assert leftovers.descriptors(os.getpid()) - before == {"/dev/null": 1}
        assert not file.closed
    assert leftovers.descriptors(os.getpid()) == before
