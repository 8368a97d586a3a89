"""The spawner: who may connect, what it keeps, what survives whom, and that nothing of it grows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.looking import wait
from support.processes import HUNG_S, Manager, members_of, open_descriptors
from support.users import ALICE

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import REASON
from wsgigroups.runtime.wire.frames import Channel, encode
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]
HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"""


def test_hello_names_key_and_interpreter(manager: Manager) -> None:
    hello = manager.connect()
    assert hello.key == "test"
    assert hello.abi == messages.ABI
    assert manager.process is not None
    assert hello.pid == manager.process.pid
    assert hello.python.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")


def has_read(manager: Manager) -> None:
    """Wait until the spawner has read all that was sent: it answers this, too."""
    manager.send(messages.Fork(999))
    manager.wait_for(messages.Refused, 999)


def looked_at(path: Path) -> list[messages.Message]:
    """What a spawner tells somebody who only looks; there are no descriptors in it."""
    told: list[messages.Message] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(HUNG_S)
        sock.connect(str(path))
        channel = Channel(sock)
        channel.send(messages.Look().to_frame())
        while not told or not isinstance(told[-1], messages.InventoryEnded):
            body, fds = channel.receive()
            assert fds == []
            told.append(messages.decode(body))
    return told


def test_who_looks_is_told_all_and_takes_nothing_over(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    with socket.socket() as kept:
        manager.send(messages.Keep("listener", "a 1", {"group": "a"}), [kept.fileno()])
        has_read(manager)
    hello, *told = looked_at(manager.path)
    assert isinstance(hello, messages.Hello)
    assert hello.key == "test"
    assert [(m.kind, m.key) for m in told if isinstance(m, messages.Kept)] == [("listener", "a 1"), ("process", "1")]
    assert life.get() == (200, b"hello")
    manager.drain(life)  # it is this manager still that is told


def test_it_listens_where_the_manager_says_when_its_file_is_gone(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    other = manager.path.with_name("other.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(other))
        manager.send(messages.Listen(), [listener.fileno()])
        has_read(manager)
    with pytest.raises(ConnectionRefusedError):
        looked_at(manager.path)
    assert len(looked_at(other)) == 3
    for nonsense in ([], [os.open(os.devnull, os.O_RDONLY)]):
        manager.send(messages.Listen(), nonsense)
        has_read(manager)
        for fd in nonsense:
            os.close(fd)
    assert len(looked_at(other)) == 3
    manager.drain(life)


def test_without_a_manager_it_makes_its_socket_again(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    manager.disconnect()
    manager.path.unlink()
    wait(manager.path.exists, lambda: manager.spawner_log)
    assert manager.path.stat().st_mode & 0o777 == 0o600
    assert life.get() == (200, b"hello")
    manager.connect()
    assert [message.key for message, _fds in manager.kept] == [str(life.number)]
    manager.drain(life)


def test_spawner_has_one_thread_its_socket_and_nothing_else(manager: Manager) -> None:
    assert manager.process is not None
    assert len(os.listdir(f"/proc/{manager.process.pid}/task")) == 1
    found = open_descriptors(manager.process.pid)
    kinds = sorted(path.split(":")[0] for fd, path in found.items() if fd > 2)
    assert kinds == ["pipe", "pipe", "socket", "socket"]  # wake-up, listener, connection


def test_serves_and_reports_the_exit(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    assert life.get() == (200, b"hello")
    exited = manager.drain(life)
    assert (exited.exit_code, exited.signal, exited.pid) == (0, 0, life.pid)
    assert exited.maximum_rss_bytes > 1_000_000
    assert exited.info["group"] == "blog"


def test_signals_of_a_terminal_do_not_end_it(manager: Manager) -> None:
    assert manager.process is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        manager.process.send_signal(number)
    manager.connect()  # it answers: it lives


def test_daemons_do_not_inherit_the_ignored_signals(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{life.pid}/status").read_text().splitlines())
    ignored = int(status["SigIgn"], 16)
    # 32 and 33 are the C library's own; whoever started the tests may have left them ignored (nptl(7))
    found = {number for number in signal.valid_signals() if ignored >> number - 1 & 1}
    assert found == {signal.SIGPIPE, signal.SIGXFSZ}
    assert int(status["SigBlk"], 16) == 0


def test_kill_of_the_spawner_leaves_daemons_serving(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    assert manager.process is not None
    manager.process.kill()
    manager.process.wait(HUNG_S)
    assert life.get() == (200, b"hello")
    life.send(messages.Drain(life.number, "test"))
    life.wait_ended()


def test_daemon_without_manager_and_spawner_leaves(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    assert manager.process is not None
    manager.process.kill()
    manager.process.wait(HUNG_S)
    life.sock.close()
    life.wait_ended()
    assert life.snapshot()["reason"] == REASON["orphaned"]


def test_inventory_after_a_manager_was_lost(manager: Manager, script: Script) -> None:
    stays, ends = manager.fork(script(HELLO)), manager.fork(script(HELLO))
    stays.ready()
    ends.ready()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        manager.send(messages.Keep("listener", "blog 127.0.0.1:80", {"note": "a"}), [listener.fileno()])
        address = listener.getsockname()
        manager.disconnect()
        ends.signal(signal.SIGKILL)
        ends.wait_ended()
        manager.connect()
        kept = {(message.kind, message.key): (message.info, fds) for message, fds in manager.kept}
        assert set(kept) == {("listener", "blog 127.0.0.1:80"), ("process", str(stays.number))}
        info, fds = kept["process", str(stays.number)]
        assert info == {"group": "blog", "slot": 1, "fingerprint": "0" * 8, "pid": stays.pid}
        assert len(fds) == 4
        pidfd, channel, _reports, board_fd = fds
        assert f"Pid:\t{stays.pid}\n" in Path(f"/proc/self/fdinfo/{pidfd}").read_text()
        assert os.path.sameopenfile(board_fd, stays.board_fd)
        with socket.socket(fileno=os.dup(kept["listener", "blog 127.0.0.1:80"][1][0])) as same:
            assert same.getsockname() == address
        # The channel that was kept is the manager's end: the daemon obeys what comes by it.
        with socket.socket(fileno=os.dup(channel)) as again:
            Channel(again).send(messages.Drain(stays.number, "by the next manager").to_frame())
        manager.wait_exited(stays)
    assert [(exited.life, exited.signal) for exited in manager.exits] == [(ends.number, signal.SIGKILL)]


def test_exit_is_reported_until_it_is_acknowledged(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    manager.drain(life)
    manager.connect()
    assert [exited.life for exited in manager.exits] == [life.number]
    manager.send(messages.Drop("process", str(life.number)))
    manager.connect()
    assert manager.exits == []


def test_dropped_listener_is_closed(manager: Manager) -> None:
    assert manager.process is not None
    before = len(open_descriptors(manager.process.pid))
    with socket.socket() as listener:
        for _again in range(3):
            manager.send(messages.Keep("listener", "x"), [listener.fileno()])
    manager.connect()
    assert len(open_descriptors(manager.process.pid)) == before + 1
    manager.send(messages.Drop("listener", "x"))
    manager.connect()
    assert len(open_descriptors(manager.process.pid)) == before


def test_second_manager_replaces_the_first(manager: Manager) -> None:
    first = manager.connection
    manager.connection = None
    assert first is not None
    manager.connect()
    with pytest.raises(EOFError):
        first.receive()
    first.sock.close()


def test_connection_without_hello_does_not_replace_the_manager(manager: Manager, script: Script) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(manager.path))
        life = manager.fork(script(HELLO))
        life.ready()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xff\xff\xff", id="endless frame"),
        pytest.param(b"\x00\x00\x00\x02[]", id="no object"),
        pytest.param(encode({"type": "fork", "life": 1}), id="fork before hello"),
    ],
)
def test_breach_of_the_form_ends_the_connection_only(manager: Manager, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as rude:
        rude.settimeout(HUNG_S)
        rude.connect(str(manager.path))
        rude.sendall(data)
        assert rude.recv(100) == b""
    manager.connect()


def test_unknown_and_foreign_messages_are_ignored(manager: Manager) -> None:
    assert manager.connection is not None
    manager.connection.send({"type": "from-the-future", "life": 1})
    manager.connection.send({"type": "fork"})
    manager.send(messages.Ready(1, 1))
    manager.connect()
    assert "unknown message type 'from-the-future'" in manager.spawner_log


@pytest.mark.root
def test_foreign_uid_is_refused(manager: Manager) -> None:
    manager.path.chmod(0o777)  # even if somebody opened the file to all
    code = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
try:
    sock.sendall(bytes.fromhex(sys.argv[2]))
    print(len(sock.recv(100)))
except OSError:
    print(0)
"""
    hello = encode(messages.Hello(messages.ABI, 1).to_frame()).hex()
    for uid, received in ((ALICE, False), (0, True)):
        command = [str(manager.interpreter), "-I", "-S", "-c", code, str(manager.path), hello]
        run = subprocess.run(command, user=uid, group=uid, extra_groups=[], check=True, capture_output=True)
        assert (run.stdout != b"0\n") == received, run
    assert f"refused a connection from uid {ALICE}" in manager.spawner_log
    manager.connect()


def test_grandchildren_are_killed_with_their_session(manager: Manager, script: Script, workspace: Path) -> None:
    source = """
import os, signal
read, write = os.pipe()
if os.fork() == 0:
    os.setpgid(0, 0)  # out of the daemon's process group, still in its session
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(write, b"x")
    signal.pause()
    os._exit(0)
while len(os.read(read, 1)) < 1: pass
os.read(read, 1)
"""
    life = manager.fork(script(source + HELLO))
    life.ready()
    assert len(members_of({life.pid})) == 3
    life.signal(signal.SIGKILL)
    manager.wait_exited(life)
    assert "left 2 processes behind: killed" in manager.spawner_log


def test_refuses_what_it_cannot_fork(manager: Manager, script: Script) -> None:
    manager.send(messages.Fork(77))
    refused, _fds = manager.wait_for(messages.Refused, 77)
    assert "cannot fork with 0 descriptors" in refused.reason  # type: ignore[attr-defined]
    life = manager.fork(script(HELLO))
    life.ready()
    with socket.socket() as any_socket:
        manager.send(messages.Fork(life.number), [any_socket.fileno()] * 5)
    refused, _fds = manager.wait_for(messages.Refused, life.number)
    assert "life 1 is running" in refused.reason  # type: ignore[attr-defined]


@pytest.mark.needs("strace")
def test_fork_that_fails_is_refused_and_the_spawner_lives(managers: Callable[..., Manager], script: Script) -> None:
    manager = managers()
    manager.start(prefix=("strace", "-qq", "-o", "/dev/null", "-e", "inject=clone,fork,vfork:error=EAGAIN:when=1"))
    with socket.socket() as any_socket:
        manager.send(messages.Fork(500), [any_socket.fileno()] * 5)
    message, _fds = manager.wait_for(messages.Refused, 500)
    assert isinstance(message, messages.Refused)
    assert "cannot fork: [Errno 11]" in message.reason
    life = manager.fork(script(HELLO))
    life.ready()


@pytest.mark.slow
def test_two_hundred_forks_leave_nothing(manager: Manager, script: Script) -> None:
    assert manager.process is not None
    application = script(HELLO)
    warm = manager.fork(application)
    warm.ready()
    manager.drain(warm)
    manager.send(messages.Drop("process", str(warm.number)))
    before = open_descriptors(manager.process.pid)
    for _turn in range(20):
        lives = [manager.fork(application) for _each in range(10)]
        for life in lives:
            life.ready()
        for life in lives:
            life.send(messages.Drain(life.number, "test"))
        for life in lives:
            assert manager.wait_exited(life).exit_code == 0
            manager.send(messages.Drop("process", str(life.number)))
            life.close()
    manager.connect()
    assert manager.exits == []
    assert manager.kept == []
    assert len(open_descriptors(manager.process.pid)) == len(before)
    children = Path(f"/proc/{manager.process.pid}/task/{manager.process.pid}/children").read_text()
    assert children == ""


def test_stalled_manager_does_not_stop_the_spawner(manager: Manager, script: Script) -> None:
    """Fill the way back to a manager that does not read, then take over with another one."""
    application = script(HELLO)
    life = manager.fork(application)
    life.ready()
    stalled = manager.connection
    assert stalled is not None
    for _each in range(400):  # each asks for a refusal; more than a socket buffer holds, less than the queue's limit
        stalled.send(messages.Fork(900, {"filler": "x" * 500}).to_frame())
    manager.connection = None
    manager.connect()
    stalled.sock.close()
    assert [message.key for message, _fds in manager.kept] == [str(life.number)]


def test_retire_waits_for_the_last_daemon(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HELLO))
    life.ready()
    manager.send(messages.Retire())
    manager.send(messages.Fork(42))
    refused, _fds = manager.wait_for(messages.Refused, 42)
    assert isinstance(refused, messages.Refused)
    assert manager.process is not None
    assert manager.process.poll() is None
    manager.drain(life)
    assert manager.process.wait(HUNG_S) == 0
    manager.disconnect()


def test_daemon_that_never_gets_a_spec(manager: Manager) -> None:
    life = manager.fork_bare()
    life.sock.sendall(b"\x00\x00\x00\x10" + json.dumps({"type": "drain"}).encode())
    assert manager.wait_exited(life).exit_code == 200
    assert "cannot" in manager.spawner_log


def test_usage_errors(manager: Manager) -> None:
    command = [str(manager.interpreter), "-I", "-S", str(manager.bootstrap)]
    for arguments, text in (
        ([], "without --listen-fd"),
        (["--listen-fd", "x"], "must be a number"),
        (["--listen-fd"], "needs a value"),
        (["--color", "red"], "there is no such option"),
        (["--listen-fd", "0"], "without --key"),
    ):
        run = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert run.returncode == 64
        assert text in run.stderr


def test_a_storm_of_signals_changes_nothing(manager: Manager, script: Script) -> None:
    """What a service manager sends to all of a cgroup, and whatever else comes by number."""
    assert manager.process is not None
    life = manager.fork(script(HELLO))
    life.ready()
    harmless = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
    for number in (*harmless, signal.SIGCHLD, signal.SIGALRM, signal.SIGWINCH, signal.SIGCONT, signal.SIGPIPE) * 90:
        manager.process.send_signal(number)
    other = manager.fork(script(HELLO))
    other.ready()
    assert life.get() == other.get() == (200, b"hello")
    assert "Traceback" not in manager.spawner_log


def test_ping_is_answered(manager: Manager) -> None:
    manager.send(messages.Ping(7))
    pong, _fds = manager.wait_for(messages.Pong, 0)
    assert pong == messages.Pong(7)


def test_a_retire_is_heard_although_its_sender_is_gone_when_all_daemons_end(manager: Manager) -> None:
    """The answers to a manager that has left fail first; what it had said counts all the same."""
    assert manager.process is not None
    lives = [manager.fork_bare() for _number in range(120)]
    manager.process.send_signal(signal.SIGSTOP)
    for life in lives:
        life.signal(signal.SIGKILL)
        life.wait_ended()
    manager.send(messages.Retire())
    manager.disconnect()
    manager.process.send_signal(signal.SIGCONT)
    assert manager.process.wait(HUNG_S) == 0


def test_without_room_for_descriptors_a_fork_is_refused_and_the_connection_goes_on(
    managers: Callable[..., Manager],
) -> None:
    manager = managers()
    manager.start(prefix=["/bin/sh", "-c", 'ulimit -n 40 && exec "$@"', "sh"])
    refused = None
    for _number in range(20):
        try:
            manager.fork_bare()
        except AssertionError as refusal:
            refused = refusal.args[0]
            break
    assert "RLIMIT_NOFILE allows 40" in str(refused)
    assert manager.connect().key == "test"  # there is room for the next manager
