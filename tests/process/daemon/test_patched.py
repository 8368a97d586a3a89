"""Applications that patch the standard library: the server has what it needs from before, and serves on."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import HUNG_S, Life, Manager
from support.serving import receive_response

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]

# What a library may have replaced, in the worst way: whoever looks it up gets an error.
BY_HAND = {
    "threads": "threading.Thread, threading.Lock, threading.Event, threading.RLock, threading.Condition",
    "thread-parts": "threading._start_new_thread, threading._allocate_lock, threading.current_thread",
    "sockets": "socket.socket, socket.fromfd, socket.socketpair",
    "time": "time.sleep, time.time, time.monotonic, time.monotonic_ns, time.time_ns, time.strftime, time.gmtime",
    "os": "os.read, os.write, os.fork, os.close, os.open, os.getpid, os.set_blocking, os.sendfile, os.stat, os.fstat",
    "signal": "signal.signal, signal.getsignal, signal.set_wakeup_fd",
    "logging": "logging.getLogger, logging.Logger, logging.Handler",
    "files": "builtins.open, io.open, codecs.open, codecs.lookup, codecs.getwriter",
    "select": "select.epoll, select.poll, select.select",
}
HAND = """
import builtins, codecs, io, logging, os, select, signal, socket, threading, time
def broken(*arguments, **keywords):
    raise RuntimeError("this is patched")
def patch():
    for name in {names!r}.split(", "):
        module, _dot, attribute = name.partition(".")
        setattr(globals()[module], attribute, broken)
"""
LIBRARIES = {
    "eventlet": "import eventlet\ndef patch():\n    eventlet.monkey_patch()\n",
    # Its import lock hangs where two threads load its hub at once.
    "gevent": "import gevent\nfrom gevent import monkey\ndef patch():\n    monkey.patch_all()\n    gevent.sleep(0)\n",
}
SOURCE = """
import sys
sys.path.append({packages!r})
{patch}
{at_import}
PATCHED = []
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/patch":
        patch()
    if path == "/fail":
        raise ValueError("as it was told to")
    if path == "/sleep":
        import time
        time.sleep(0.05)
    if path == "/wait":
        with environ["wsgi.input"] as body:
            body.read()
    environ["wsgi.errors"].write("asked for %s\\n" % path)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
"""
PACKAGES = str(Path(importlib.util.find_spec("greenlet").origin).parents[1])  # type: ignore[union-attr,arg-type]


def source(kind: str, at_import: bool) -> str:
    """An application that patches at the top, or when it is asked for /patch."""
    patch = LIBRARIES.get(kind) or HAND.format(names=BY_HAND[kind])
    return SOURCE.format(packages=PACKAGES, patch=patch, at_import="patch()" if at_import else "")


def ask(life: Life, path: str) -> int:
    """Make a request that keeps its connection, and one behind it; the status of the first."""
    assert life.address is not None
    with socket.create_connection(life.address, HUNG_S) as sock:
        statuses = []
        for each in (path, "/"):
            sock.sendall(f"GET {each} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            statuses.append(receive_response(sock)[0])
    assert statuses[1] == 200
    return statuses[0]


def at_once(life: Life, paths: list[str]) -> list[int]:
    """Make requests side by side; their statuses."""
    found: list[int] = []
    threads = [threading.Thread(target=lambda path=path: found.append(ask(life, path))) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HUNG_S)
    return found


@pytest.fixture
def started(manager: Manager, script: Script) -> Callable[..., Life]:
    def start(kind: str, at_import: bool, **changes: object) -> Life:
        life = manager.fork(script(source(kind, at_import)), access_log=False, **changes)
        life.ready()
        return life

    return start


@pytest.mark.parametrize("at_import", [True, False], ids=["import", "later"])
@pytest.mark.parametrize("kind", [*LIBRARIES, *BY_HAND])
def test_serves_and_leaves(manager: Manager, started: Callable[..., Life], kind: str, at_import: bool) -> None:
    life = started(kind, at_import)
    if not at_import:
        assert ask(life, "/patch") == 200
    assert ask(life, "/") == 200
    sleeps = "/" if kind == "time" else "/sleep"
    assert at_once(life, [sleeps] * 6) == [200] * 6  # more than one thread
    assert ask(life, "/fail") == 500
    life.wait_log("ValueError")
    life.wait_log("wsgi.errors: asked for /")
    life.send(messages.DumpStacks(life.number))
    assert isinstance(life.receive(), messages.InFlight)
    assert manager.drain(life).exit_code == 0, life.log
    assert "this is patched" not in life.log, life.log
    assert life.log.count("Traceback") == 1, life.log
