"""Many commands for the price of one start: a process that has imported the command line forks for each of them.

What a forked command does is what it does alone: its own descriptors, its own memory, its own exit code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = r"""
import json, os, re, sys
from wsgigroups.cli import apply, loading, main, plan, validate
from wsgigroups.config import build, compose, load, reports
from wsgigroups.config.reports import text
from wsgigroups.host.checks import certain, host
from wsgigroups.host import real
from wsgigroups import client
directory, together, commands = sys.argv[1], sys.argv[2] == "together", json.load(sys.stdin)
pids = []
for number, arguments in enumerate(commands):
    pid = os.fork()
    if pid == 0:
        for name, descriptor in (("out", 1), ("err", 2)):
            os.dup2(os.open(f"{directory}/{number}.{name}", os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        sys.argv = ["wsgigroups", *arguments]
        status = 1
        try:
            main.main()
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            with open("/proc/self/status") as file:
                peak = re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]
            with open(f"{directory}/{number}.peak", "w") as file:
                file.write(peak)
            os._exit(status)
    pids.append(pid)
    if not together:
        print(os.waitstatus_to_exitcode(os.waitpid(pids.pop(), 0)[1]), flush=True)
for pid in pids:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """How a command ended. peak_bytes: the most memory that its process had, what it was forked with included."""

    code: int
    stdout: str
    stderr: str
    peak_bytes: int


def run_all(
    commands: Sequence[Sequence[str]], directory: Path, *, together: bool = False, timeout_s: float = 100.0
) -> list[Done]:
    """Run each of these argument lists of `wsgigroups`, one after the other or all at once.

    The directory is made, and takes their output.
    """
    directory.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(directory), "together" if together else "in turn"],
        input=json.dumps(commands), capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = []
    for number, code in enumerate(done.stdout.split()):
        out, err = ((directory / f"{number}.{name}").read_text(errors="replace") for name in ("out", "err"))
        found.append(Done(int(code), out, err, 1024 * int((directory / f"{number}.peak").read_text())))
    return found
