"""How a daemon's interpreter ends, what children of the application do that come back, and whose signals are whose."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import HUNG_S, Life, Manager
from support.serving import receive_response

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]

SOURCE = """
import atexit, os, signal, sys, threading, time
DIRECTORY = {directory!r}
{extra}
def application(environ, start_response):
    body = (answer(environ) if "answer" in globals() else b"done")
    start_response("200 OK", [("Content-Length", "4")])
    return [body]
"""
HANGS = "class Hangs:\n    def __del__(self): time.sleep(3600)\nhangs = Hangs()"


def kept_exchange(sock: socket.socket) -> bytes:
    """Ask on a connection that goes on; the body of the answer."""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields, body = receive_response(sock)
    assert (status, fields.get("connection", "")) == (200, "")
    return body


@pytest.fixture
def written(workspace: Path) -> Path:
    """A file that a daemon may write, whoever it is."""
    path = workspace / "written"
    path.touch()
    path.chmod(0o666)
    return path


@pytest.fixture
def started(manager: Manager, script: Script, workspace: Path) -> Callable[..., Life]:
    """Start a daemon whose application has this in its module."""

    def start(extra: str = "", **changes: object) -> Life:
        life = manager.fork(script(SOURCE.format(directory=str(workspace), extra=extra)), **changes)
        life.ready()
        return life

    return start


def test_what_lies_in_buffers_is_written(manager: Manager, started: Callable[..., Life], written: Path) -> None:
    extra = f"""
log = open({str(written)!r}, "w")
def answer(environ):
    print("a line", file=log)
    return b"done"
"""
    life = started(extra)
    for _ in range(10):
        assert life.get() == (200, b"done")
    assert written.read_text() == ""
    assert manager.drain(life).exit_code == 0
    assert written.read_text() == "a line\n" * 10


def test_they_are_written_where_a_limit_leaves_no_room_for_a_thread(
    manager: Manager, started: Callable[..., Life], written: Path
) -> None:
    extra = f"""
import re, resource
log = open({str(written)!r}, "w")
def answer(environ):
    print("a line", file=log)
    with open("/proc/self/status") as file:
        has = int(re.search(r"VmSize:\\s+(\\d+) kB", file.read())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (has + (1 << 20), resource.RLIM_INFINITY))
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        return b"done"
    return b"room"
"""
    life = started(extra)
    assert life.get() == (200, b"done")
    assert manager.drain(life).exit_code == 0
    assert written.read_text() == "a line\n"
    assert "Traceback" not in life.log


def test_modules_are_taken_down_after_exit_functions_and_threads(
    manager: Manager, started: Callable[..., Life], written: Path
) -> None:
    extra = f"""
class Last:
    def __del__(self): log.write("module ")
last = Last()
log = open({str(written)!r}, "w")
atexit.register(log.write, "exit function ")
go = threading.Event()
def work():
    threading.main_thread().join(0.2)
    log.write("thread ")
threading.Thread(target=work).start()
"""
    assert manager.drain(started(extra)).exit_code == 0
    assert written.read_text() == "thread exit function module "


def test_buffers_are_written_although_a_thread_hangs(
    manager: Manager, started: Callable[..., Life], written: Path
) -> None:
    extra = f"""
log = open({str(written)!r}, "w")
log.write("kept")
threading.Thread(target=threading.Event().wait, name="sleeper").start()
"""
    life = started(extra, shutdown_timeout_s=1.0)
    assert manager.drain(life).exit_code == 0
    assert written.read_text() == "kept"
    assert "exit functions run now, though these have not ended: sleeper" in life.log
    assert "is over" not in life.log  # since nothing was cut off


def test_an_exit_function_that_hangs_is_cut_off_in_time_and_named(
    manager: Manager, started: Callable[..., Life]
) -> None:
    life = started("def lingers(): time.sleep(3600)\natexit.register(lingers)", shutdown_timeout_s=1.0)
    began_s = time.monotonic()
    assert manager.drain(life).exit_code == 0
    assert 0.9 < time.monotonic() - began_s < 10
    assert "shutdown-timeout of 1s is over: the exit is cut off in\n" in life.log
    assert "in lingers" in life.log


def test_a_module_that_hangs_while_it_is_taken_down_is_cut_off(manager: Manager, started: Callable[..., Life]) -> None:
    life = started(HANGS, shutdown_timeout_s=0.5)
    manager.drain(life)
    assert "in __del__" in life.log


def test_an_end_without_haste_cuts_nothing_off(manager: Manager, started: Callable[..., Life]) -> None:
    life = started("atexit.register(time.sleep, 0.3)", shutdown_timeout_s=HUNG_S)
    assert manager.drain(life).exit_code == 0
    assert "is over" not in life.log
    assert "cut off" not in life.log


@pytest.mark.parametrize(
    ("comes_back", "code"),
    [
        ("return b'done'", 0),
        ("sys.exit(3)", 3),
        ("raise OSError('not mine')", 1),
        ("raise KeyboardInterrupt", 1),
    ],
    ids=["return", "exit", "error", "interrupt"],
)
def test_a_child_that_comes_back_out_of_the_application_exits(
    manager: Manager, started: Callable[..., Life], comes_back: str, code: int
) -> None:
    extra = f"""
def answer(environ):
    pid = os.fork()
    if pid == 0:
        {comes_back}
    return b"%04d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
    life = started(extra)
    assert life.address is not None
    with socket.create_connection(life.address, HUNG_S) as sock:
        for _ in range(3):  # the connection goes on, so nobody else has answered on it
            assert kept_exchange(sock) == b"%04d" % code
    assert manager.drain(life).exit_code == 0
    assert life.snapshot()["requests_total"] == 3


def test_a_child_that_comes_back_out_of_an_iterator_exits(manager: Manager, script: Script) -> None:
    source = """
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    yield b"do"
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
    yield b"ne"
"""
    life = manager.fork(script(source))
    life.ready()
    assert life.get() == (200, b"done")
    assert manager.drain(life).exit_code == 0


def test_a_child_that_comes_back_out_of_a_signal_handler_exits(
    manager: Manager, started: Callable[..., Life], workspace: Path
) -> None:
    os.mkfifo(workspace / "code")
    (workspace / "code").chmod(0o666)
    extra = """
def handle(number, frame):
    pid = os.fork()
    if pid:
        with open(DIRECTORY + "/code", "w") as out: out.write(str(os.waitpid(pid, 0)[1]))
signal.signal(signal.SIGHUP, handle)
"""
    life = started(extra)
    life.signal(signal.SIGHUP)
    with open(workspace / "code") as code:
        assert code.read() == "0", life.log
    assert life.get() == (200, b"done")


def test_a_handler_of_the_application_may_exit(manager: Manager, started: Callable[..., Life]) -> None:
    life = started("signal.signal(signal.SIGHUP, lambda number, frame: sys.exit(7))")
    life.signal(signal.SIGHUP)
    assert manager.wait_exited(life).exit_code == 0
    assert "stopping: signal" in life.log


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_signals_of_the_application_end_nothing(
    manager: Manager, started: Callable[..., Life], number: signal.Signals
) -> None:
    life = started()
    for _ in range(20):
        life.signal(number)
    assert life.get() == (200, b"done")
    assert manager.drain(life).exit_code == 0


def test_programs_that_the_application_starts_do_not_inherit_that(
    manager: Manager, started: Callable[..., Life], written: Path
) -> None:
    extra = f"""
import subprocess
code = "import signal, sys; sys.stdout.write(str(signal.getsignal(1)))"
with open({str(written)!r}, "w") as out:
    subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
"""
    started(extra)
    assert written.read_text() in ("Handlers.SIG_DFL", "0")


def idle_connection(life: Life) -> socket.socket:
    """A connection that has had an answer and may have another."""
    assert life.address is not None
    sock = socket.create_connection(life.address, HUNG_S)
    assert kept_exchange(sock) == b"done"
    return sock


def test_an_idle_connection_is_answered_once_more_while_others_follow(
    manager: Manager, started: Callable[..., Life]
) -> None:
    life = started(shutdown_timeout_s=HUNG_S, serving={"keep_alive_timeout_s": HUNG_S})
    with idle_connection(life) as sock:
        life.send(messages.Drain(life.number, "replaced"))
        life.wait_log("stopping: replaced")
        sock.settimeout(2.5)  # longer than those are kept for whom nobody follows
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(HUNG_S)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = sock.makefile("rb").read()  # to the end of the stream
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
    assert manager.wait_exited(life).exit_code == 0


def test_an_idle_connection_is_let_go_before_shutdown_timeout(manager: Manager, started: Callable[..., Life]) -> None:
    life = started("atexit.register(print, 'ran')", shutdown_timeout_s=1.0, serving={"keep_alive_timeout_s": HUNG_S})
    with idle_connection(life) as sock:
        began_s = time.monotonic()
        life.send(messages.Drain(life.number, "replaced"))
        assert sock.recv(1) == b""
        assert time.monotonic() - began_s > 0.8
    assert manager.wait_exited(life).exit_code == 0
    assert "ran\n" in life.log
    assert "cut off" not in life.log


def test_an_idle_connection_is_let_go_soon_where_nobody_follows(manager: Manager, started: Callable[..., Life]) -> None:
    life = started(shutdown_timeout_s=HUNG_S, serving={"keep_alive_timeout_s": HUNG_S})
    with idle_connection(life) as sock:
        life.send(messages.Drain(life.number, "stop", followed=False))
        sock.settimeout(HUNG_S / 2)
        assert sock.recv(1) == b""
    assert manager.wait_exited(life).exit_code == 0
