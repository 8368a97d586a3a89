"""Two hundred hello applications of one process each, by wsgigroups and by what starts many of other servers.

Runs in the benchmark's process. Each is started by one command and measured the same way: until every one of its UNIX
sockets has answered, and what all of its processes take a little later, divided by the applications.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import accounting
from benchmarks.load import LoadError
from benchmarks.serving import Ground, start, stop

COUNT = 200
LIMIT_S = 180.0
LOOK_S = 0.005
SETTLES_S = 10.0  # until nothing is under way any more, in anybody's processes
CALLABLE = "plain:application"


@dataclass(frozen=True)
class Fleet:
    """Who starts them: the command for a directory, written for this many applications. program: what it needs."""

    name: str
    title: str
    program: str
    command: Callable[[Ground, Path, int], list[str]]


def address(directory: Path, number: int) -> Path:
    """Return the path of an application's socket."""
    return directory / f"a{number:04}.sock"


def groups(ground: Ground, directory: Path, count: int, threads: int = 2) -> str:
    """Return a configuration of wsgigroups. Replacements are not watched: what is measured is their speed."""
    sections = (
        f'\n[groups.a{number:04}]\napp = "{CALLABLE}"\npython-path = ["{ground.applications}"]\n'
        f'listen = ["unix:{address(directory, number)}"]\nprocesses = 1\nthreads = {threads if number == 0 else 2}\n'
        f"[groups.a{number:04}.rollout]\nmin-ready-time = 0\n"
        for number in range(count)
    )
    return "version = 1\n" + "".join(sections)


def _ours(ground: Ground, directory: Path, count: int) -> list[str]:
    configuration = directory / "groups.toml"
    configuration.write_text(groups(ground, directory, count))
    places = [f"--{name}-dir={directory / name}" for name in ("run", "state", "log")]
    return [str(ground.environment / "bin" / "wsgigroups"), *places, "run", str(configuration)]


def _supervisord(ground: Ground, directory: Path, count: int) -> list[str]:
    programs = ground.environment / "bin"
    sections = (
        f"[program:a{number:04}]\ncommand={programs / 'gunicorn'} --no-control-socket --workers 1 --threads 2 "
        f"--pythonpath {ground.applications} --bind unix:{address(directory, number)} {CALLABLE}\n"
        f"directory={directory}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
        for number in range(count)
    )
    head = f"[supervisord]\nnodaemon=true\nlogfile={directory}/supervisord.log\npidfile={directory}/supervisord.pid\n"
    configuration = directory / "supervisord.conf"
    configuration.write_text(head + "".join(sections))
    return [str(programs / "supervisord"), "-c", str(configuration)]


def _emperor(ground: Ground, directory: Path, count: int) -> list[str]:
    vassals = directory / "vassals"
    vassals.mkdir()
    vassals.chmod(0o755)
    for number in range(count):
        (vassals / f"a{number:04}.ini").write_text(
            f"[uwsgi]\nhttp-socket = {address(directory, number)}\nmodule = {CALLABLE}\nmaster = true\nprocesses = 1\n"
            f"threads = 2\npythonpath = {ground.applications}\nhome = {ground.environment}\ndisable-logging = true\n"
        )
    program = str(ground.environment / "bin" / "uwsgi")
    # of a wheel it is a script, and vassals would be started with the interpreter alone
    return [program, "--emperor", str(vassals), "--emperor-wrapper", program, "--die-on-term"]


FLEETS = (
    Fleet("wsgigroups", "wsgigroups", "wsgigroups", _ours),
    Fleet("supervisord", "supervisord with gunicorn", "supervisord", _supervisord),
    Fleet("emperor", "uWSGI's Emperor", "uwsgi", _emperor),
)


def measure(ground: Ground, count: int = COUNT) -> dict[str, dict[str, float]]:
    """Return seconds until all answer, and PSS in MiB for each application, SETTLES_S later, of what is installed."""
    found = {}
    for fleet in FLEETS:
        if (ground.environment / "bin" / fleet.program).exists():
            with _running(fleet, ground, count) as (ready_s, pss_bytes):
                found[fleet.name] = {"ready_s": ready_s, "pss_mib": pss_bytes / 1048576 / count}
    return found


@contextlib.contextmanager
def _running(fleet: Fleet, ground: Ground, count: int) -> Iterator[tuple[float, int]]:
    directory = Path(tempfile.mkdtemp(prefix="wsgibench-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        os.chown(directory, ground.account.uid, ground.account.gid)
        command = fleet.command(ground, directory, count)
        with open(directory / "output.log", "wb") as output:
            began = time.monotonic()
            process = start(command, directory, output.fileno(), ground.account)
        try:
            ready_s = _until_all_answer(process, directory, count, began)
            time.sleep(SETTLES_S)
            yield ready_s, accounting.cost([process.pid]).pss_bytes
        finally:
            _end(process)
    finally:
        shutil.rmtree(directory)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command, and whatever of its processes does not go with it."""
    below = accounting.tree([process.pid])[1:]
    stop(process)
    for other in below:
        with contextlib.suppress(psutil.NoSuchProcess):  # psutil tells a process from another of its number
            other.kill()


def _until_all_answer(process: subprocess.Popen[bytes], directory: Path, count: int, began: float) -> float:
    waiting = list(range(count))
    while waiting:
        if process.poll() is not None or time.monotonic() > began + LIMIT_S:
            tail = (directory / "output.log").read_text(errors="replace")[-600:]
            raise LoadError(f"{len(waiting)} of {count} applications do not answer: {tail}")
        waiting = [number for number in waiting if not answers(address(directory, number))]
        if waiting:
            time.sleep(LOOK_S)
    return time.monotonic() - began


def answers(path: Path, timeout_s: float = 5.0) -> bool:
    """Whether a GET at this UNIX socket is answered with 200."""
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
        sock.settimeout(timeout_s)
        sock.connect(str(path))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b" 200 " in sock.recv(4096).split(b"\r\n", 1)[0]
    return False
