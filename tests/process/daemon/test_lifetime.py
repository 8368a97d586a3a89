"""From ready to gone: drains and their windows, signals, limits, exit functions, children of the application."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.looking import pause
from support.processes import HUNG_S, Life, Manager, exchange

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import LISTENING, REASON, STATE
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]
Started = Callable[..., Life]

# /wait says that it has begun and waits for the test to open the gate; everything else is answered at once
SOURCE = """
import os
DIRECTORY = {directory!r}
{extra}
def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        with open(DIRECTORY + "/begun", "w") as begun: begun.write("x")
        with open(DIRECTORY + "/gate") as gate: gate.read()
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
"""


@pytest.fixture
def started(manager: Manager, script: Script, workspace: Path) -> Started:
    """Start a daemon whose request /wait hangs until the gate is opened."""
    for name in ("begun", "gate"):
        os.mkfifo(workspace / name)
        (workspace / name).chmod(0o666)

    def start(extra: str = "", **changes: object) -> Life:
        life = manager.fork(script(SOURCE.format(directory=str(workspace), extra=extra)), **changes)
        life.ready()
        return life

    return start


class InFlight:
    """A request that is inside the application until `finish`."""

    def __init__(self, life: Life, workspace: Path) -> None:
        assert life.address is not None
        self.answer: tuple[int, bytes] | None = None
        self._gate = workspace / "gate"
        self._sock = socket.create_connection(life.address, HUNG_S)
        self._thread = threading.Thread(target=self._exchange)
        self._thread.start()
        with open(workspace / "begun") as begun:  # ends when the request has closed its end
            assert begun.read() == "x"

    def _exchange(self) -> None:
        try:
            self.answer = exchange(self._sock, "/wait")
        except (OSError, ValueError, IndexError):
            self.answer = None
        self._sock.close()

    def finish(self) -> tuple[int, bytes] | None:
        with open(self._gate, "w"):
            pass
        return self.cut_off()

    def cut_off(self) -> tuple[int, bytes] | None:
        self._thread.join(HUNG_S)
        assert not self._thread.is_alive()
        return self.answer


def test_drain_lets_requests_finish(manager: Manager, started: Started, workspace: Path) -> None:
    life = started()
    request = InFlight(life, workspace)
    assert life.snapshot()["listening"] == LISTENING["yes"]
    life.send(messages.Drain(life.number, "test"))
    life.wait_log("stopping: test")
    assert request.finish() == (200, b"done")
    assert manager.wait_exited(life).exit_code == 0
    assert life.snapshot()["state"] == STATE["stopping"]
    assert life.snapshot()["listening"] == LISTENING["no"]


def test_drain_of_another_life_is_dropped(manager: Manager, started: Started) -> None:
    life = started()
    life.send(messages.Drain(life.number + 1, "not for this one"))
    life.send(messages.DumpStacks(life.number))
    assert isinstance(life.receive(), messages.InFlight)
    assert "no request is in flight" in life.log
    assert life.get() == (200, b"done")
    assert "stopping:" not in life.log


def test_what_is_in_flight_is_told_in_the_log_and_to_the_manager(
    manager: Manager, started: Started, workspace: Path
) -> None:
    life = started()
    request = InFlight(life, workspace)
    life.send(messages.DumpStacks(life.number))
    told = life.receive()
    assert isinstance(told, messages.InFlight)
    assert re.fullmatch(r"GET /wait for \d+\.\d s", told.requests)
    assert 'app.wsgi", line ' in told.stacks
    for text in ("requests in flight:\n    GET /wait for ", "stacks of all threads:\n    Thread ", ", in application"):
        assert text in life.log
    assert request.finish() == (200, b"done")


def test_window_still_accepts_and_ends_when_idle(manager: Manager, started: Started, workspace: Path) -> None:
    life = started()
    request = InFlight(life, workspace)
    life.send(messages.Drain(life.number, "test", window_s=HUNG_S * 10))
    life.wait_log("stopping: test")
    assert life.get() == (200, b"done")
    assert life.snapshot()["state"] == STATE["draining"]
    assert request.finish() == (200, b"done")
    assert manager.wait_exited(life).exit_code == 0


def test_window_ends_at_its_deadline_and_is_not_extended(manager: Manager, started: Started, workspace: Path) -> None:
    life = started(shutdown_timeout_s=0.1)
    request = InFlight(life, workspace)
    life.send(messages.Drain(life.number, "first", window_s=0.1))
    life.send(messages.Drain(life.number, "second", window_s=HUNG_S * 10))
    assert manager.wait_exited(life).exit_code == 0
    assert request.cut_off() is None
    assert "shutdown-timeout of 0.1s is over: running requests are cut off" in life.log


def test_second_drain_may_end_the_window(manager: Manager, started: Started, workspace: Path) -> None:
    life = started(shutdown_timeout_s=0.1)
    request = InFlight(life, workspace)
    life.send(messages.Drain(life.number, "first", window_s=HUNG_S * 10))
    life.send(messages.Drain(life.number, "second"))
    assert manager.wait_exited(life).exit_code == 0
    assert request.cut_off() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_that_others_ask_for_is_left_to_the_manager(manager: Manager, started: Started, number: int) -> None:
    life = started("import signal\nfor n in (2, 10, 15, 24): signal.signal(n, signal.SIG_IGN)")
    life.signal(number)
    message = life.receive()
    assert isinstance(message, messages.Leaving)
    assert message.reason == "terminated"
    assert life.get() == (200, b"done")
    assert life.snapshot()["state"] == STATE["ready"]
    exited = manager.drain(life)
    assert (exited.exit_code, exited.signal, exited.reason) == (0, 0, REASON["terminated"])


def test_whoever_insists_on_its_end_has_it(manager: Manager, started: Started) -> None:
    life = started()
    life.signal(signal.SIGTERM)
    assert isinstance(life.receive(), messages.Leaving)
    until = time.monotonic() + HUNG_S
    while life.snapshot()["state"] == STATE["ready"]:
        assert time.monotonic() < until, "it is not obeyed"
        pause()
        with contextlib.suppress(ProcessLookupError):  # just now
            life.signal(signal.SIGTERM)
    exited = manager.wait_exited(life)
    assert (exited.exit_code, exited.signal, exited.reason) == (0, 0, REASON["terminated"])


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGUSR1, "signal"), (signal.SIGXCPU, "cpu-time-limit")])
def test_it_asks_for_a_successor_and_serves_on_until_it_is_told(
    manager: Manager, started: Started, number: int, reason: str
) -> None:
    life = started("import signal\nfor n in (10, 24): signal.signal(n, signal.SIG_IGN)")
    for _again in range(2):  # SIGXCPU comes again each second
        life.signal(number)
        assert life.get() == (200, b"done")
    message = life.receive()
    assert isinstance(message, messages.Leaving)
    assert message.reason == reason
    assert life.snapshot()["state"] == STATE["ready"]
    assert manager.drain(life).reason == REASON[reason]


def test_cpu_time_that_is_just_enough_for_its_window_is_used_for_that(
    manager: Manager, started: Started, workspace: Path
) -> None:
    """Nobody has told it to leave, and the kernel would kill it."""
    life = started(graceful_timeout_s=HUNG_S * 10, rlimits={"CPU": (20, int(HUNG_S * 10))})
    request = InFlight(life, workspace)
    life.signal(signal.SIGXCPU)
    assert isinstance(life.receive(), messages.Leaving)
    life.signal(signal.SIGXCPU)
    assert life.get() == (200, b"done")
    assert request.finish() == (200, b"done")
    assert manager.wait_exited(life).exit_code == 0


@pytest.mark.slow
def test_cpu_time_limit(manager: Manager, script: Script) -> None:
    source = """
import time
def application(environ, start_response):
    until = time.process_time() + 1.2
    while time.process_time() < until: pass
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
"""
    life = manager.fork(script(source), rlimits={"CPU": (1, 30)}, graceful_timeout_s=HUNG_S)
    life.ready()
    assert life.get() == (200, b"done")
    assert manager.wait_exited(life).reason == REASON["cpu-time-limit"]


def test_maximum_requests_serves_on_until_told(manager: Manager, started: Started) -> None:
    life = started(serving={"maximum_requests": 2})
    assert life.get() == (200, b"done")
    assert life.get() == (200, b"done")
    message = life.receive()
    assert isinstance(message, messages.Leaving)
    assert message.reason == "maximum-requests"
    assert life.get() == (200, b"done")
    assert manager.drain(life).reason == REASON["maximum-requests"]


def test_tune_changes_title_and_timeouts(manager: Manager, started: Started, workspace: Path) -> None:
    life = started(shutdown_timeout_s=HUNG_S * 10)
    request = InFlight(life, workspace)
    tune = messages.Tune(life.number, {"maximum_requests": 7}, "renamed", {"shutdown_timeout_s": 0.1, "unknown": 1})
    life.send(tune)
    life.send(messages.Drain(life.number, "test"))
    assert manager.wait_exited(life).exit_code == 0
    assert request.cut_off() is None


def test_dump_stacks(manager: Manager, started: Started, workspace: Path) -> None:
    life = started()
    request = InFlight(life, workspace)
    life.send(messages.DumpStacks(life.number))
    life.wait_log('app.wsgi"')
    life.signal(signal.SIGQUIT)
    life.wait_log("(most recent call first)")  # before anything moves: C code walks over the stacks of all threads
    request.finish()
    assert life.get() == (200, b"done")


def test_exit_functions_run(manager: Manager, started: Started) -> None:
    extra = """
import atexit, concurrent.futures, threading
pool = concurrent.futures.ThreadPoolExecutor(2)
pool.submit(int)  # its idle threads would wait for ever
atexit.register(lambda: print("exit function ran"))
atexit.register(lambda: 1 / 0)
"""
    life = started(extra, shutdown_timeout_s=HUNG_S * 10)
    assert manager.drain(life).exit_code == 0
    assert "exit function ran\n" in life.log
    assert "ZeroDivisionError" in life.log


@pytest.mark.parametrize(
    "extra",
    [
        "import atexit, threading; atexit.register(threading.Event().wait)",
        "import threading; threading.Thread(target=threading.Event().wait).start()",
    ],
    ids=["exit function", "thread"],
)
def test_exit_that_hangs_is_cut_off(manager: Manager, started: Started, extra: str) -> None:
    life = started(extra, shutdown_timeout_s=0.2)
    assert manager.drain(life).exit_code == 0


def test_exit_functions_run_although_a_thread_hangs(manager: Manager, started: Started) -> None:
    extra = """
import atexit, threading
threading.Thread(target=threading.Event().wait).start()
atexit.register(lambda: print("exit function ran"))
"""
    life = started(extra, shutdown_timeout_s=0.5)
    assert manager.drain(life).exit_code == 0
    assert "exit function ran\n" in life.log


def test_child_of_the_application_is_a_stranger(manager: Manager, started: Started, workspace: Path) -> None:
    """It has neither our channel nor our wake-up: ending it by SIGTERM ends it, and only it."""
    os.mkfifo(workspace / "child")
    (workspace / "child").chmod(0o666)
    extra = f"""
import atexit, signal, threading
def start():
    pid = os.fork()
    if pid == 0:
        with open({str(workspace / "child")!r}, "w") as out:
            names = ["/proc/self/fd/" + fd for fd in os.listdir("/proc/self/fd")]
            out.write("%d %s" % (os.getpid(), [os.readlink(name) for name in names if os.path.lexists(name)]))
        signal.pause()
    os.waitpid(pid, 0)
"""
    life = started(extra + "threading.Thread(target=start, daemon=True).start()")
    with open(workspace / "child") as child:
        pid, _space, descriptors = child.read().partition(" ")
    channel = f"socket:[{_peer_inode(life)}]"
    assert channel not in descriptors
    pidfd = os.pidfd_open(int(pid))
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        assert select.select([pidfd], [], [], HUNG_S)[0]
    finally:
        os.close(pidfd)
    assert life.get() == (200, b"done")
    assert "stopping:" not in life.log


def _peer_inode(life: Life) -> str:
    """Return the inode of the daemon's end: what is in the daemon, is a socket, and is neither listener nor in here."""
    found = [os.readlink(f"/proc/{life.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{life.pid}/fd")]
    listening = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    inodes = [path[8:-1] for path in found if path.startswith("socket:[")]
    (inode,) = [inode for inode in inodes if inode not in listening]
    return inode


def test_idle_daemon_does_not_wake_its_main_thread(manager: Manager, started: Started) -> None:
    life = started()
    life.get()
    task = Path(f"/proc/{life.pid}/task/{life.pid}")
    # poll(2), and its third argument, the timeout, is -1
    assert (task / "syscall").read_text().split()[3] == "0xffffffff"


def test_log_lines_carry_the_life(manager: Manager, started: Started) -> None:
    life = started()
    manager.drain(life)
    (line,) = [line for line in life.log.splitlines() if "stopping: test" in line]
    stamp, rest = line.split(" ", 1)
    assert stamp.endswith("Z")
    assert len(stamp) == 24
    assert rest == f"blog/1 life=1 pid={life.pid} info: stopping: test"
