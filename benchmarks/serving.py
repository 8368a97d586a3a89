"""Start a peer, wait until it answers, stop it: the same for all of them.

Runs in the benchmark's process. As root the servers run as the account that daemons run as. Each command gets a process
group of its own, so that nothing outlives its measurement.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Layout
from benchmarks.load import LoadError
from benchmarks.peers import Job, Peer
from tools.facts import Account

START_S = 30.0
STOP_S = 15.0


@dataclass(frozen=True)
class Ground:
    """Where servers run: environment, applications, and whom they run as."""

    environment: Path
    applications: Path
    account: Account


@dataclass
class Running:
    """A server that answers."""

    peer: Peer
    job: Job
    roots: list[int]  # the processes whose trees serve


@contextlib.contextmanager
def serving(peer: Peer, application: str, layout: Layout, ground: Ground, access_log: str = "off") -> Iterator[Running]:
    """Run the peer while the block runs; raise LoadError with the end of its log when it does not come up."""
    directory = Path(tempfile.mkdtemp(prefix="wsgibench-", dir="/tmp"))
    log = directory / "output.log"
    if not ground.account.is_caller():
        os.chown(directory, ground.account.uid, ground.account.gid)
    job = Job(
        application=application,
        layout=layout,
        port=free_port(),
        directory=directory,
        applications=ground.applications,
        environment=ground.environment,
        account=ground.account,
        access_log=access_log,
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        with open(log, "wb") as output:
            for command in peer.commands(job):
                process = start(command, directory, output.fileno(), ground.account)
                started.append(process)  # one by one: what has started is stopped when the next one fails
        wait_until_answering(job.port, started, log)
        yield Running(peer, job, peer.roots(job, [process.pid for process in started]))
    finally:
        peer.finish(job)
        for process in reversed(started):
            stop(process)
        shutil.rmtree(directory)


def start(command: list[str], directory: Path, output: int, account: Account) -> subprocess.Popen[bytes]:
    """Start one command in a session of its own with a plain environment."""
    return subprocess.Popen(
        command,
        cwd=directory,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(directory), "LANG": "C.UTF-8", "TMPDIR": "/tmp"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        **account.popen_arguments(),
    )


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_answering(port: int, started: list[subprocess.Popen[bytes]], log: Path) -> None:
    """Return when GET / gives 200; raise LoadError when a process ended or the time is over."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        dead = [process for process in started if process.poll() is not None]
        if dead:
            raise LoadError(f"the server ended with exit code {dead[0].returncode}: {tail(log)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            try:
                connection.request("GET", "/")
                if connection.getresponse().status == http.client.OK:
                    return
            finally:
                connection.close()
        time.sleep(0.05)
    raise LoadError(f"the server did not answer within {START_S:.0f} s: {tail(log)}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command politely, then its whole process group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(path: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:])
