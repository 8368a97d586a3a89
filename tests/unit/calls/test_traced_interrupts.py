"""Interrupted requests in a thread that somebody traces, as a debugger, coverage or a profiler does.

Each in a process of its own, which would go round for ever (CPython 3.11).
"""

from __future__ import annotations

import subprocess
import sys

TRACED_AFTER_TAKING_BACK = """
import faulthandler, sys, threading
faulthandler.dump_traceback_later(60, exit=True)
from wsgigroups.runtime.calls import interrupts
from wsgigroups.runtime.wsgi.interrupted import RequestTimeout

class Late(interrupts.Door):
    def leave(self):
        if self.inside and not self.raised:
            self.token.pop()
            self.raised.append(None)
            interrupts.raise_in(self.ident, RequestTimeout)
        super().leave()

came = []
def work():
    for _ in range(50):
        door = Late(threading.get_ident())
        try:
            interrupts.guarded(door, int)
        except RequestTimeout:
            came.append(1)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(len(came))

def trace(frame, event, argument):
    return trace

def traced():
    return "traced"

sys.settrace(trace)
print(traced())
"""


def test_after_one_was_taken_back_calls_can_be_traced() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED_AFTER_TAKING_BACK], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (0, "0\ntraced\n"), done.stderr


TRACED_WHILE_TAKING_BACK = """
import faulthandler, sys, threading
faulthandler.dump_traceback_later(60, exit=True)
from wsgigroups.runtime.calls import interrupts
from wsgigroups.runtime.wsgi.interrupted import RequestTimeout

door, taken = interrupts.Door(threading.get_ident()), threading.Event()

def main_thread():
    door.token.pop()
    taken.set()
    interrupts.raise_in(door.ident, RequestTimeout)
    door.raised.append(None)

def call():
    other.start()
    taken.wait()

def trace(frame, event, argument):
    return trace

sys.settrace(trace)
for _ in range(200):
    other = threading.Thread(target=main_thread)
    taken.clear()
    try:
        interrupts.guarded(door, call)
    except RequestTimeout:
        pass
    other.join()
print("done")
"""


def test_a_request_that_is_traced_can_be_interrupted() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED_WHILE_TAKING_BACK], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
