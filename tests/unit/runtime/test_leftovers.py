"""What is found after an import of which no mold can be made. Each in a process of its own, which has nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, select, signal, socket, subprocess, sys, threading, time
from wsgigroups.runtime.daemon import leftovers
before = leftovers.open_descriptors()
exec(sys.argv[1])
print(leftovers.found(before))
sys.stdout.flush()
os.kill(0, signal.SIGKILL)
"""

SEVEN = """
run = {"run": lambda self: time.sleep(600), "__module__": "shop"}
[type("Own", (threading.Thread,), run)(name=name, daemon=True).start() for name in "abcdefg"]
"""


def found(source: str) -> str:
    """What it says after this source has run."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source], capture_output=True, text=True, check=False, start_new_session=True
    )
    assert done.stdout, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = open('/dev/null'); y = os.pipe(); subprocess.run(['true'])", "[]"),
        ("s = socket.socket(); s.close()", "[]"),
        (
            "threading.Thread(target=time.sleep, args=(600,), name='Batch', daemon=True).start()",
            "['1 thread runs (Batch of time)']",
        ),
        (
            SEVEN,
            "['7 threads run (a of shop, b of shop, c of shop, d of shop, e of shop, ...)']",
        ),
        ("s = socket.socket()", "['1 socket is open (descriptor {0})']"),
        ("s = socket.socketpair()", "['2 sockets are open (descriptor {0}, descriptor {1})']"),
        ("e = select.epoll()", "['1 part of an event loop is open (eventpoll, descriptor {0})']"),
        ("p = subprocess.Popen(['sleep', '600'])", "['a process runs that it has started']"),
        ("threading.Lock = int", "['its threads are those of gevent or eventlet']"),
    ],
)
def test_what_does_not_survive_a_fork(source: str, expected: str) -> None:
    assert found(source) == expected.format(3, 4)


def test_threads_of_a_library_are_seen() -> None:
    source = "import _thread; [_thread.start_new_thread(time.sleep, (600,)) for _n in range(3)]"
    assert found(source) == "['3 threads run (of a library in C, such as OpenBLAS)']"
