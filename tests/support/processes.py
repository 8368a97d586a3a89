"""A manager in a hundred lines: starts a spawner, asks it for daemons and waits for what they say. Synchronous.

Runs in pytest's process. Every wait has one deadline whose only meaning is "hung"; nothing sleeps.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.looking import pause
from support.users import ALICE, identity

from wsgigroups.runtime.wire import board, messages
from wsgigroups.runtime.wire.frames import Channel
from wsgigroups.runtime.wire.lines import READ_BYTES, LineReceiver
from wsgigroups.runtime.wire.spec import Application, Serving, Spec

HUNG_S = 30.0


class Life:
    """One daemon as the manager sees it: its channel, board, pidfd and the addresses it was given."""

    def __init__(
        self, number: int, channel: socket.socket, reports_fd: int, board_fd: int, log: Path, threads: int
    ) -> None:
        self.number = number
        self.pid = 0
        self.pidfd = -1
        self.board_fd = board_fd
        self.log_path = log
        self.threads = threads
        self.address: tuple[str, int] | None = None
        self.sock = channel
        self.sock.settimeout(HUNG_S)
        self.channel = Channel(channel)
        self.reports_fd = reports_fd
        self.receiver = LineReceiver()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def receive(self) -> messages.Message:
        """Return the next message. Raises EOFError when the daemon and everybody else closed the reports."""
        while not self.receiver.waiting:
            assert select.select([self.reports_fd], [], [], HUNG_S)[0], f"nothing is reported\n{self.log}"
            data = os.read(self.reports_fd, READ_BYTES)
            if not data:
                raise EOFError
            self.receiver.feed(data)
        return messages.decode(self.receiver.take())

    def ready(self) -> messages.Ready:
        """Wait until it is ready."""
        message = self.receive()
        assert isinstance(message, messages.Ready), f"{message}\n{self.log}"
        assert message.life == self.number
        return message

    def failed(self) -> messages.Failed:
        """Wait until it says why it will not come up."""
        message = self.receive()
        assert isinstance(message, messages.Failed), f"{message}\n{self.log}"
        return message

    def send(self, message: messages.Message) -> None:
        self.channel.send(message.to_frame())

    def signal(self, number: int) -> None:
        signal.pidfd_send_signal(self.pidfd, number)

    def snapshot(self) -> board.Snapshot:
        return board.read(self.board_fd, self.threads)

    def wait_ended(self) -> None:
        """Wait until the process has ended, whoever its parent is."""
        assert select.select([self.pidfd], [], [], HUNG_S)[0], f"pid {self.pid} does not end\n{self.log}"

    def wait_log(self, text: str) -> None:
        """Follow the log until the text is there; tail waits with inotify(7)."""
        command = ["tail", "-n", "+1", "-f", "--", str(self.log_path)]
        deadline = time.monotonic() + HUNG_S
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as tail:
            assert tail.stdout is not None
            seen = b""
            try:
                while text.encode() not in seen:
                    left = deadline - time.monotonic()
                    assert select.select([tail.stdout], [], [], max(left, 0))[0], f"no {text!r} in the log:\n{self.log}"
                    seen += tail.stdout.read(65536)
            finally:
                tail.kill()

    def get(self, path: str = "/") -> tuple[int, bytes]:
        """Make one request; return status and body."""
        assert self.address is not None
        with socket.create_connection(self.address, HUNG_S) as sock:
            return exchange(sock, path)

    def close(self) -> None:
        self.sock.close()
        for fd in (self.board_fd, self.pidfd, self.reports_fd):
            if fd >= 0:
                os.close(fd)
        self.board_fd = self.pidfd = self.reports_fd = -1


def exchange(sock: socket.socket, path: str) -> tuple[int, bytes]:
    """Send a request on a connection that ends after it; return status and body."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    data = b""
    while True:
        more = sock.recv(65536)
        if not more:
            break
        data += more
    head, _blank, body = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = b"".join(body.split(b"\r\n")[1::2])
    return int(head.split(b" ", 2)[1]), body


class Manager:
    """A spawner's process, its socket, and a connection to it."""

    def __init__(self, directory: Path, interpreter: Path, bootstrap: Path, key: str = "test") -> None:
        self.directory = directory
        self.interpreter = interpreter
        self.bootstrap = bootstrap
        self.key = key
        self.path = directory / f"{key}.sock"
        self.lives: dict[int, Life] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: Channel | None = None
        self.kept: list[tuple[messages.Kept, list[int]]] = []
        self.exits: list[messages.Exited] = []
        self._waiting: list[tuple[messages.Message, list[int]]] = []
        self._counter = 0

    @property
    def spawner_log(self) -> str:
        return (self.directory / "spawner.log").read_text(errors="replace")

    def start(self, environment: dict[str, str] | None = None, prefix: Sequence[str] = (), **popen: Any) -> None:
        """Start the spawner, wait until it is ready, and connect."""
        ready_read, ready_write = os.pipe()
        with socket.socket(socket.AF_UNIX) as listener, open(self.directory / "spawner.log", "ab") as log:
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(str(self.path))
            listener.listen(4)
            command = [*prefix, str(self.interpreter), "-I", "-S", str(self.bootstrap), "--key", self.key]
            command += ["--listen-fd", str(listener.fileno()), "--ready-fd", str(ready_write)]
            self.process = subprocess.Popen(
                command,
                env={"PATH": "/usr/bin:/bin"} if environment is None else environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listener.fileno(), ready_write, *popen.pop("pass_fds", ())),
                start_new_session=True,
                cwd="/",
                **popen,
            )
        os.close(ready_write)
        try:
            assert select.select([ready_read], [], [], HUNG_S)[0]
            assert os.read(ready_read, 64) == b"ready\n", self.spawner_log
        finally:
            os.close(ready_read)
        self.connect()

    def connect(self) -> messages.Hello:
        """Connect, say hello and take the inventory; `kept` and `exits` have it afterwards."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(HUNG_S)
        sock.connect(str(self.path))
        self.disconnect()
        self.connection = Channel(sock)
        self.send(messages.Hello(messages.ABI, os.getpid(), protocol=messages.PROTOCOL))
        hello, _fds = self._next()
        assert isinstance(hello, messages.Hello)
        self.forget_kept()
        self.exits = []
        while True:
            message, fds = self._next()
            if isinstance(message, messages.Kept):
                self.kept.append((message, fds))
            elif isinstance(message, messages.Exited):
                self.exits.append(message)
            else:
                assert isinstance(message, messages.InventoryEnded)
                return hello

    def disconnect(self) -> None:
        """Close the connection, as a dying manager does."""
        if self.connection is not None:
            self.connection.sock.close()
            self.connection = None

    def forget_kept(self) -> None:
        """Close the descriptors of the last inventory."""
        for _message, fds in self.kept:
            for fd in fds:
                os.close(fd)
        self.kept = []

    def send(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        assert self.connection is not None
        self.connection.send(message.to_frame(), fds)

    def _next(self) -> tuple[messages.Message, list[int]]:
        assert self.connection is not None
        body, fds = self.connection.receive()
        return messages.decode(body), fds

    def wait_for(self, kind: type[messages.Message], life: int) -> tuple[messages.Message, list[int]]:
        """Return the next message of this kind about this life; others wait for those who ask for them."""
        for index, (message, fds) in enumerate(self._waiting):
            if type(message) is kind and getattr(message, "life", life) == life:
                del self._waiting[index]
                return message, fds
        while True:
            message, fds = self._next()
            if type(message) is kind and getattr(message, "life", life) == life:
                return message, fds
            self._waiting.append((message, fds))

    def wait_exited(self, life: Life) -> messages.Exited:
        """Wait until the spawner has reaped it."""
        message, _fds = self.wait_for(messages.Exited, life.number)
        assert isinstance(message, messages.Exited)
        return message

    def spec(self, number: int, applications: Sequence[Application], **changes: Any) -> Spec:
        """Return a spec with the defaults of the tests; `serving` may be a dict of changes."""
        serving = replace(Serving(threads=3), **changes.pop("serving", {}))
        values: dict[str, Any] = {
            "group": "blog",
            "slot": 1,
            "life": number,
            "fingerprint": "0" * 8,
            "title": "(wsgi:blog)",
            "applications": tuple(applications),
            "serving": serving,
            "environment": {"PATH": "/usr/bin:/bin", "HOME": "/"},
            "listen": ("127.0.0.1:0",),
            "identity": identity(ALICE),
            "home": "/",
        }
        values.update(changes)
        return Spec(**values)

    def fork(self, *applications: Application, **changes: Any) -> Life:
        """Ask for a daemon and send it its spec; returns as soon as the fork is reported. mold, founds: `fork_bare`."""
        mold, founds = changes.pop("mold", None), changes.pop("founds", False)
        life = self.fork_bare(changes.get("serving", {}).get("threads", 3), mold, founds=founds)
        spec = self.spec(life.number, applications, **changes)
        with contextlib.ExitStack() as stack:
            listeners = []
            for _address in spec.listen:
                listener = stack.enter_context(socket.socket())
                listener.bind(("127.0.0.1", 0))
                listener.listen(100)
                life.address = life.address or listener.getsockname()
                listeners.append(listener.fileno())
            log = os.open(life.log_path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, log)
            life.channel.send(messages.SpecMessage(spec.to_wire()).to_frame(), [log, *listeners])
        return life

    def fork_bare(self, threads: int = 3, mold: Life | None = None, *, founds: bool = False) -> Life:
        """Ask for a daemon that has got no spec yet. mold: of the life that founded it; founds: it is to found one."""
        self._counter += 1
        number = self._counter
        theirs, ours = socket.socketpair()
        reports, reports_write = os.pipe()
        board_fd = board.create(threads, "wsgigroups-test")
        life = Life(number, ours, reports, board_fd, self.directory / f"life-{number}.log", threads)
        self.lives[number] = life
        info = {"group": "blog", "slot": 1, "fingerprint": "0" * 8}
        with theirs:
            fds = [theirs.fileno(), ours.fileno(), reports, reports_write, board_fd]
            self.send(messages.Fork(number, info, str(mold.number if mold else number if founds else "")), fds)
        os.close(reports_write)
        while getattr((answer := self._next())[0], "life", 0) != number:
            self._waiting.append(answer)
        message, fds = answer
        assert isinstance(message, messages.Spawned), message
        life.pid, life.pidfd = message.pid, fds[0]
        return life

    def drain(self, life: Life) -> messages.Exited:
        """Let it leave at once and wait until it has."""
        life.send(messages.Drain(life.number, "test"))
        return self.wait_exited(life)

    def end(self) -> None:
        """Kill what is left, and see that nothing of it remains: no process, no session member, no descriptor."""
        sessions = {life.pid for life in self.lives.values() if life.pid}
        for life in self.lives.values():
            if life.pidfd >= 0:
                with contextlib.suppress(ProcessLookupError):
                    life.signal(signal.SIGKILL)
                life.wait_ended()
        if self.process is not None:
            sessions.add(self.process.pid)
            if self.process.poll() is None and self.connection is not None:
                self.send(messages.Retire())
                assert self.process.wait(HUNG_S) == 0, self.spawner_log
            self.process.kill()
            self.process.wait(HUNG_S)
        for _message, fds in self._waiting:
            for fd in fds:
                os.close(fd)
        self.disconnect()
        self.forget_kept()
        for life in self.lives.values():
            life.close()
        deadline = time.monotonic() + HUNG_S
        while members := members_of(sessions):  # SIGKILL was sent to them; the kernel takes its time
            assert time.monotonic() < deadline, f"left behind: {members}"
            pause()


def members_of(sessions: set[int]) -> list[str]:
    """Return pid and name of every process whose session is one of these, zombies included."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path("/proc", name, "stat").read_text(errors="replace")
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[3]) in sessions:
            found.append(text[:80])
    return found


def open_descriptors(pid: int | None = None) -> dict[int, str]:
    """Return what each descriptor of a process leads to."""
    directory = f"/proc/{pid or 'self'}/fd"
    found = {}
    for name in os.listdir(directory):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"{directory}/{name}")
    return found
