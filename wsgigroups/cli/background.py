"""Starting a manager in the background for `apply`. Runs in the user's process."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager import early_signals
from wsgigroups.manager.readiness import heard
from wsgigroups.manager.systemd.notifying import VARIABLES
from wsgigroups.trust.walking import judging_root, make_directories, open_to_append

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from wsgigroups.cli.main import Globals

START_TIMEOUT_S = 30.0
LOOK_S = 0.05


def ensure_manager(options: Globals, check: Callable[[], object]) -> bool:
    """Start a manager unless one runs; return whether it was started. check runs first: a bad file starts nothing.

    Where somebody else starts one at the same moment, that one is waited for.
    """
    if Client(options.run_dir).running():
        return False
    check()
    try:
        os.close(make_directories(str(options.log_dir), judging_root()))
        log = open_to_append(str(options.log_dir / "manager.log"), judging_root())
    except OSError as error:
        raise WsgigroupsError(
            f"cannot write the manager's log in {options.log_dir}: {error.strerror}", hint="choose another --log-dir"
        ) from None
    try:
        child, ready = start_manager(options, stdout=log, stderr=log)
    finally:
        os.close(log)
    until = time.monotonic() + START_TIMEOUT_S
    with ready:
        came, _, _ = select.select([ready], [], [], START_TIMEOUT_S)
        found = heard(ready.readline() if came else b"")
    if not found.ready:
        child.kill()
        child.wait()
        if found.runs and _answers(options, until):
            return False  # somebody else has started one at the same moment
        raise WsgigroupsError(
            found.error.message if found.error else "cannot start a manager in the background",
            hint=(found.error and found.error.hint) or f"its last words are in {options.log_dir / 'manager.log'}",
            exit_code=ExitCode.FAILED,
        )
    child.returncode = 0  # it outlives this command on purpose; nobody waits for it here
    return True


def _answers(options: Globals, until: float) -> bool:
    """Whether the manager of this run directory answers by then: it may have begun a moment ago, or be another's."""
    client = Client(options.run_dir)
    while not (there := client.running()) and time.monotonic() < until:
        time.sleep(LOOK_S)
    return there


def start_manager(
    options: Globals,
    arguments: Sequence[str] = (),
    *,
    stdout: int,
    stderr: int,
    directory: Path | None = None,
) -> tuple[subprocess.Popen[bytes], BinaryIO]:
    """Start a manager in a session of its own; return it, and what gives a line that begins with "ready" once it is up.

    arguments: further ones of `run`; directory: where it works, for groups that do not say where they do. What it
    gives ends without that line where the manager does not come up; both are the caller's.
    """
    read_end, write_end = os.pipe()
    directories = ["--run-dir", options.run_dir, "--state-dir", options.state_dir, "--log-dir", options.log_dir]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, early_signals.HELD)  # it inherits that, until it can note them
    try:
        child = subprocess.Popen(
            [
                *(sys.executable, "-I", "-m", "wsgigroups"),
                *map(str, directories),
                *("run", "--resume", "--ready-fd", str(write_end), *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(write_end,),
            start_new_session=True,
            cwd=directory,
            env={name: value for name, value in os.environ.items() if name not in VARIABLES},
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(write_end)
    return child, os.fdopen(read_end, "rb")
