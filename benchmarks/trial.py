"""wsgigroups with directories of its own, driven by its command line, and ended whatever happens.

Runs in the benchmark's process. Commands run as the account that the manager has: a manager takes orders from root and
its own user, but a command of root's sends none to a directory that somebody else owns.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import accounting
from benchmarks.load import LoadError
from benchmarks.serving import Ground
from tools.facts import Account

ENDS_S = 15.0  # after `shutdown --now`, which waits for the manager itself


class Trial:
    """One run directory with what is configured there. account: whose manager it is; None: that of the servers."""

    def __init__(self, ground: Ground, directory: Path, account: Account | None = None) -> None:
        self.ground = ground
        self.directory = directory
        self.account = account or ground.account
        words = [f"--{name}-dir={directory / name}" for name in ("run", "state", "log")]
        self.program = [str(ground.environment / "bin" / "wsgigroups"), *words]

    def own(self, path: Path) -> None:
        """Give a path to the account."""
        if not self.account.is_caller():
            os.chown(path, self.account.uid, self.account.gid)

    def write(self, text: str) -> Path:
        """Write the configuration."""
        path = self.directory / "groups.toml"
        path.write_text("version = 1\n" + text)
        self.own(path)
        return path

    def run(self, *words: str) -> str:
        """Run a command; raise LoadError with its own words when it fails."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [*self.program, *words],
            cwd=self.directory,
            env={"PATH": os.defpath, "HOME": str(self.directory), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            **self.account.popen_arguments(),
        )
        if done.returncode:
            raise LoadError(f"wsgigroups {words[0]} gave exit code {done.returncode}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def timed(self, *words: str) -> tuple[float, float]:
        """Run a command; return its elapsed and processor seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        self.run(*words)
        elapsed_s = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return elapsed_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def processes(self) -> list[psutil.Process]:
        """Manager, spawners and daemons, whoever of them still lives: all write to logs of this directory."""
        logs = f"{self.directory}/"
        writers = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{process.pid}/fd/2").startswith(logs):
                    writers.append(process.pid)
        return accounting.tree(writers)

    def end(self) -> None:
        """Shut it down. Raises LoadError when something outlived that, which is killed first."""
        with contextlib.ExitStack() as stack:
            pidfds = {}
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    pidfds[process.pid] = os.pidfd_open(process.pid)
                    stack.callback(os.close, pidfds[process.pid])
            if not pidfds:
                return
            failure = ""
            try:
                self.run("shutdown", "--now")
            except (LoadError, subprocess.TimeoutExpired) as error:
                failure = str(error)
            left = _outlives(pidfds, 0.0 if failure else ENDS_S)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfds[pid], signal.SIGKILL)
            _outlives(pidfds, ENDS_S)
            if left:
                raise LoadError(f"{len(left)} processes of a measurement had to be killed: {failure or 'they stayed'}")


@contextlib.contextmanager
def trying(ground: Ground, account: Account | None = None) -> Iterator[Trial]:
    """A trial in a new directory; nothing of it is left afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="wsgibench-", dir="/tmp"))
    directory.chmod(0o755)
    trial = Trial(ground, directory, account)
    try:
        trial.own(directory)
        try:
            yield trial
        finally:
            trial.end()
    finally:
        shutil.rmtree(directory)


def _outlives(pidfds: dict[int, int], within_s: float) -> list[int]:
    """Return who has not ended within so many seconds (pidfd_open(2): readable once it has)."""
    until = time.monotonic() + within_s
    return [pid for pid, fd in pidfds.items() if not select.select([fd], [], [], max(0.0, until - time.monotonic()))[0]]
