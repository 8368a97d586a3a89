"""A process that has imported the command line and the manager, and forks for each that is to be started.

Run by path, isolated; its arguments are the descriptors of a socket for orders, and of the end that gives them. What
it forks has arguments, variables, directory and descriptors of its own, and ends as any Python program: it is what it
would be otherwise, without the half second of a processor that the imports take. A manager that a command starts in
the background is forked here as well.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_LARGEST = 1 << 20  # of an order: arguments and variables
_ASIDE = 200  # descriptors are kept from here on while each is put in its place
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
_ISOLATED = ["-I", "-m", "wsgigroups"]
_OF_TERMINALS = {"top", "top_dialogs", "top_rows", "top_screen"}  # with a library that no other command has


@dataclass(frozen=True)
class Order:
    """What is to be started. places: the numbers that its descriptors have there."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    places: Sequence[int]
    blocked: Sequence[int] = ()  # signals
    new_session: bool = False
    binds: Sequence[tuple[str, str]] = ()  # files that it sees at the path of others, it and what it starts


class Started:
    """What was started, as `subprocess.Popen` has it. Raises OSError where nobody is there to start it."""

    def __init__(self, giver: socket.socket, order: Order, descriptors: Sequence[int]) -> None:
        self._said, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.returncode: int | None = None
        try:
            with theirs:
                socket.send_fds(giver, [json.dumps(asdict(order)).encode()], [theirs.fileno(), *descriptors])
            self.pid = self._told()
        except BaseException:
            self._said.close()
            raise

    def _told(self) -> int:
        said = self._said.recv(64)
        if not said:
            raise ConnectionResetError("what forks commands has ended")
        return int(said)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._said.settimeout(timeout)
            try:
                self.returncode = self._told()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("wsgigroups", timeout or 0.0) from None
            self._said.close()
        return self.returncode

    def kill(self) -> None:
        """End it by SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _load() -> None:
    """Import what takes time, and have the models built that are built when a file is read."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    import wsgigroups.cli
    from wsgigroups import collecting

    collecting.seldom()
    for module in pkgutil.iter_modules(wsgigroups.cli.__path__):
        if module.name not in _OF_TERMINALS:
            importlib.import_module(f"wsgigroups.cli.{module.name}")
    from wsgigroups.config import load
    from wsgigroups.manager import loading

    loading.load()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "groups.toml")
        file.write_text('version = 1\n[groups.g]\nlisten = ["127.0.0.1:1"]\n[groups.g.application]\nmodule = "m"\n')
        load([file])
    gc.collect()
    gc.freeze()  # a look at what is shared would copy it


def _serve(orders: socket.socket, giver: int) -> Order | None:
    """Fork for each order; return it in what was forked."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, int] = {}  # pid → whom its end is told
    ready: list[Any]
    while True:
        ready, _, _ = select.select([orders, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ends(running)
        if orders not in ready:
            continue
        data, descriptors, _, _ = socket.recv_fds(orders, _LARGEST, 32)
        if not data:
            return None
        order = Order(**json.loads(data))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if pid == 0:
            orders.detach()  # its number may become another's
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _become(order, descriptors[1:], giver)
            signal.pthread_sigmask(signal.SIG_SETMASK, {*before, *order.blocked})
            return order
        running[pid] = descriptors[0]
        _tell(descriptors[0], pid)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for descriptor in descriptors[1:]:
            os.close(descriptor)


def _tell_ends(running: dict[int, int]) -> None:
    """Reap what has ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        whom = running.pop(pid)
        _tell(whom, os.waitstatus_to_exitcode(status))
        os.close(whom)


def _tell(whom: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # who started it has ended, or does not ask
        os.write(whom, str(number).encode())


def _become(order: Order, descriptors: Sequence[int], giver: int) -> None:
    """Put arguments, variables, directory and descriptors in place."""
    if order.new_session:
        os.setsid()
    aside = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ASIDE) for descriptor in descriptors]
    giver = fcntl.fcntl(giver, fcntl.F_DUPFD_CLOEXEC, _ASIDE)
    for descriptor, place in zip(aside, order.places, strict=True):
        os.dup2(descriptor, place)
    kept = set(order.places)
    if "run" not in order.arguments:  # a manager starts no other in the background
        kept.add(giver)
        _start_managers_by(giver, order.binds)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(int(name))
    _bind(order.binds)
    os.chdir(order.directory)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = ["wsgigroups", *order.arguments]
    for name, number in (("stdout", 1), ("stderr", 2)):  # those of before know what they wrote to
        former = getattr(sys, name)
        stream = open(number, "w", encoding=former.encoding, errors=former.errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    sys.orig_argv = [sys.executable, *_ISOLATED, *order.arguments]


def _bind(binds: Sequence[tuple[str, str]]) -> None:
    """Have a mount namespace of its own where it needs one: unshare(2), mount(2)."""
    library = ctypes.CDLL(None, use_errno=True)

    def done(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    if binds:
        done(library.unshare(_CLONE_NEWNS))
        done(library.mount(None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))
    for file, place in binds:
        done(library.mount(file.encode(), place.encode(), None, ctypes.c_ulong(_MS_BIND), None))


def _start_managers_by(giver: int, binds: Sequence[tuple[str, str]]) -> None:
    """Have a command ask for a fork where it would start a manager in the background."""
    from wsgigroups.cli import background

    control = socket.socket(fileno=giver)

    def popen(command: Sequence[str], **settings: Any) -> Started | subprocess.Popen[bytes]:
        if "--end-with" in command:  # of its parent, which would be another one
            return subprocess.Popen(command, **settings)
        assert command[: len(_ISOLATED) + 1] == [sys.executable, *_ISOLATED]
        order = Order(
            command[len(_ISOLATED) + 1 :],
            settings["env"],
            str(settings["cwd"] or os.getcwd()),
            (0, 1, 2, *settings["pass_fds"]),
            sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            settings["start_new_session"],
            binds,
        )
        with open(os.devnull, "rb") as nothing:
            return Started(
                control, order, (nothing.fileno(), settings["stdout"], settings["stderr"], *settings["pass_fds"])
            )

    background.subprocess = types.SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL)  # type: ignore[attr-defined, assignment]


def _main(orders: int, giver: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)  # its children do without
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it ends when the tests do
    _load()
    if _serve(socket.socket(fileno=orders), giver) is not None:
        _run()


def _run() -> None:
    """Do what was ordered and end: as Python does, without taking apart what was imported, which takes time."""
    from wsgigroups.__main__ import main

    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
