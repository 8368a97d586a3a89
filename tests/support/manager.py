"""A manager under test: its own directories, the real command line, and a check that nothing is left behind.

Runs in pytest's process, which becomes a child subreaper: whatever the manager loses is found here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from support import leftovers, orphans
from support.accounts import Accounts
from support.clients import BackgroundGet, Clients
from support.faults import outlives
from support.log_settling import settle
from support.looking import pause, wait
from support.ports import Ports
from support.warm import Warm, below, surroundings

from wsgigroups.client import Client
from wsgigroups.config import load

APPS = Path(__file__).parent.parent / "apps"
QUICK = "\n[defaults.rollout]\nmin-ready-time = 0\n"
USUAL = [sys.executable, "-m", "wsgigroups"]  # how a command is started
HUNG_S = 40.0  # a wait this long only means that something hangs


class ManagerUnderTest:
    """A context manager. `apply`, `cli`, `status` … talk to it; leaving it shuts it down and looks for leftovers."""

    def __init__(self, directory: Path, accounts: Accounts | None = None, warm: Warm | None = None) -> None:
        # short and enterable by every account: socket paths end at 107 bytes, daemons may be another user
        self.base = Path(tempfile.mkdtemp(prefix="wg-", dir="/tmp"))
        self.base.chmod(0o755)
        self.directory = directory
        self.run_dir, self.state_dir, self.log_dir = (self.base / name for name in ("run", "state", "log"))
        self.client = Client(self.run_dir)
        self._announced: list[leftovers.Announced] = []
        self.accounts = accounts
        self.warm = warm  # what forks commands and managers in the background; None: each is started for itself
        self._ports = Ports()

    def __enter__(self) -> ManagerUnderTest:  # noqa: PYI034 — Self is Python 3.11
        orphans.adopt()
        self._fds = _open_fds()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.client.running():
                pid = self.manager_pid
                if error is None:
                    zombies = leftovers.lasting_zombies(pid)
                    assert not zombies, f"nobody reaps {zombies}"
                self.client.post("/v1/shutdown", {})  # as the command does; starting one for each test takes its time
                assert not outlives(pid, HUNG_S), "the manager does not end"
            self._ports.close()
            if error is None:
                self._check_leftovers()
        finally:
            self._ports.close()
            _end_children()
            self._show()  # pytest shows it for a test that failed; a fixture is not told whether it did
            orphans.adopt_no_more()
            shutil.rmtree(self.base, ignore_errors=True)

    # Talking to it

    def command(self, *arguments: str) -> list[str]:
        """The command line for this manager's directories."""
        prefix = self.accounts.command() if self.accounts else []
        where = ["--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir), "--log-dir", str(self.log_dir)]
        return [*prefix, *USUAL, *where, *arguments]

    def cli(self, *arguments: str, timeout_s: float = 90.0, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. What it prints goes to no terminal, whatever size one has that the tests run in."""
        if "logs" in arguments:
            settle()
        command = self.command(*arguments)
        start = [*(self.accounts.command() if self.accounts else ()), *USUAL]
        usual = command[: len(start)] == start and more.keys() <= {"cwd", "stdin"}
        if self.warm and usual and more.get("stdin") in (None, subprocess.DEVNULL) and self.warm.fits():
            binds = self.accounts.binds if self.accounts else ()
            return self.warm.run(command[len(start) :], timeout_s, more.get("cwd"), binds)
        more.setdefault("env", surroundings())
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, **more)

    def cli_as(self, uid: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as another user, who knows the run directory; only root can. That number has no account."""
        command = [sys.executable, "-m", "wsgigroups", "--run-dir", str(self.run_dir), *arguments]
        return subprocess.run(
            command, user=uid, group=uid, extra_groups=[], env={"PATH": os.defpath, "HOME": "/"}, cwd="/",
            capture_output=True, text=True, timeout=HUNG_S, check=False,
        )  # fmt: skip

    def write(self, text: str, name: str = "groups.toml") -> Path:
        """Write a configuration."""
        path = self.base / name
        # replacements that a test is not about do not wait for new processes to show that they last
        at_once = "" if ".rollout]" in text or path.suffix != ".toml" else QUICK
        path.write_text(f"version = 1\n{text}{at_once}")
        return path

    def apply(self, text: str, *options: str, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
        """Write a configuration and apply it; the exit code must be as expected."""
        done = self.cli("apply", "--yes", *options, str(self.write(text)), **more)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log('manager')}"
        return done

    def change_to(self, text: str) -> dict[str, Any]:
        """The same through the control API, without a command, which takes its time to start: how the change ended.

        Where nothing is to be changed, it is done.
        """
        configuration = load([self.write(text)]).configuration
        assert configuration
        begun = self.client.post("/v1/apply", {"configuration": configuration.to_document()})["change"]
        return {"outcome": "done", "finished": True} if begun is None else self._end_of(begun)

    def restart(self, group: str) -> None:
        """Have each process of a group replaced, and wait until all are."""
        change = self._end_of(self.client.post("/v1/restart", {"groups": [group]})["change"])
        assert change["outcome"] == "done", change

    def _end_of(self, number: int) -> dict[str, Any]:
        change: dict[str, Any] = self.client.wait(number)
        while not change["finished"]:
            change = self.client.wait(number, change["seen"])
        return change

    def status(self) -> dict[str, Any]:
        """The status document."""
        return self.client.status()

    def group(self, name: str) -> dict[str, Any]:
        """One group of it."""
        found: dict[str, Any] = next(group for group in self.status()["groups"] if group["name"] == name)
        return found

    def pids(self, name: str) -> dict[int, int]:
        """Slot → pid of a group's ready processes."""
        return {p["slot"]: p["pid"] for p in self.group(name)["processes"] if p["state"] == "ready"}

    def wait_for(self, what: str, condition: Callable[[], Any]) -> Any:
        """Ask again, with pauses, until the answer is true; return it."""
        try:
            return wait(condition, lambda: f"never: {what}\n{json.dumps(self.status(), indent=1)}", HUNG_S)
        except TimeoutError as never:
            raise AssertionError(str(never)) from None

    def wait_up(self, name: str) -> None:
        """Wait until a manager runs that has a process of this group ready."""

        def up() -> bool:
            return self.client.running() and any(
                process["state"] == "ready"
                for group in self.status()["groups"]
                if group["name"] == name
                for process in group["processes"]
            )

        self.wait_for(f"{name} is up", up)

    def log(self, name: str) -> str:
        """A log's text, with all that was said until now. name: of a group, or of a file."""
        if name != "manager":
            settle()
        path = self.log_dir / (name if ".log" in name else f"{name}.log")
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def manager_pid(self) -> int:
        """The manager's pid."""
        return int(self.status()["manager"]["pid"])

    def processes_of(self, group: str) -> list[int]:
        """Pids of all daemons below this manager or adopted by this test that are this group's, by their title."""
        found = []
        for process in below():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE and f"(wsgi:{group})" in " ".join(process.cmdline()):
                    found.append(process.pid)
        return found

    # Addresses

    def port(self) -> int:
        """A loopback port that nobody has, and that nobody else's tests get while this manager is under test."""
        return self._ports.reserve()

    def listening(self, port: int) -> bool:
        """Whether anybody accepts connections there."""
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except (ConnectionRefusedError, ConnectionResetError):  # it was closed before, or just then
            return False
        return True

    def get(self, port: int, path: str = "/", timeout_s: float = 30.0) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def identity(self, port: int, path: str = "/") -> dict[str, Any]:
        """What `identity_app` says of itself."""
        status, body = self.get(port, path)
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def clients(self, port: int, count: int, path: str = "/") -> Clients:
        """Keep-alive clients to use as a context."""
        return Clients(port, count, path)

    def background_get(self, port: int, path: str) -> BackgroundGet:
        """One request that goes on while the test does something."""
        return BackgroundGet(port, path)

    # In the foreground

    @contextlib.contextmanager
    def foreground(
        self, *arguments: str, limits: str = "", environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`wsgigroups run` with these arguments; ended when the context ends. limits: options of the shell's ulimit."""
        self.log_dir.mkdir(exist_ok=True)
        with open(self.log_dir / "foreground.log", "wb") as log:
            command = self.command("run", *arguments)
            if limits:
                command = ["/bin/sh", "-c", f'ulimit {limits} && exec "$@"', "sh", *command]
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(HUNG_S)

    def foreground_log(self) -> str:
        """What it said."""
        return self.log("foreground")

    # Leftovers

    def expect_in_log(self, text: str, times: int | None = None) -> None:
        """Announce a traceback by a text in it: without this, one in any log fails the test; with it, none does."""
        self._announced.append(leftovers.Announced(text, times))

    def _check_leftovers(self) -> None:
        until = time.monotonic() + 10.0
        while (left := _children()) and time.monotonic() < until:
            _reap()
            pause()
        assert not left, f"processes left behind: {left}"
        left_files = sorted(str(path.relative_to(self.run_dir)) for path in self.run_dir.rglob("*"))
        assert left_files == [], left_files
        assert leftovers.sockets_below(self.base) == []
        opened = _open_fds() - self._fds  # what a test before this one left to the garbage collector may go meanwhile
        assert not opened, f"descriptors left open: {opened}"
        logs = {path.name: path.read_text(errors="replace") for path in self.log_dir.glob("*.log")}
        complaints = leftovers.complaints(logs, self._announced)
        assert not complaints, "\n".join(complaints)

    def _show(self) -> None:
        for path in sorted(self.log_dir.glob("*.log")):
            print(f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}")


def _children() -> list[str]:
    found = []
    for process in below():
        try:
            found.append(f"{process.pid} {process.status()} {process.name()} {' '.join(process.cmdline())[:100]}")
        except psutil.NoSuchProcess:
            continue
    return found


def _reap() -> None:
    """Collect orphans that were re-parented to this process."""
    for process in below(recursive=False):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)
        except (psutil.NoSuchProcess, ChildProcessError):
            continue


def _end_children() -> None:
    for process in below():
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(below(), timeout=5)
    _reap()


def _open_fds() -> set[tuple[str, str]]:
    """Each descriptor of this process with what it is: sockets and pipes by their numbers."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return found
