"""Waiting for a change: progress as it happens, its outcome as an exit code.

Runs in the user's process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.output import indented
from wsgigroups.cli.progress import Display, display
from wsgigroups.cli.values import DURATION
from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals

_OUTCOME = {"done": ExitCode.DONE, "failed": ExitCode.FAILED, "rolled-back": ExitCode.ROLLED_BACK}

WAIT = (
    click.option("--no-wait", is_flag=True, help="Do not wait; print the change's number."),
    click.option(
        "--timeout", type=DURATION, metavar="TIME", help="Give up waiting after that long: 30, 30s, 5m; 0: never."
    ),
)


def with_wait(function: Any) -> Any:
    """Add --no-wait and --timeout to a command."""
    for option in reversed(WAIT):
        function = option(function)
    return function


def follow(options: Globals, answer: dict[str, Any], no_wait: bool, timeout_s: float | None) -> int:
    """Wait for the change an answer names; return the exit code. Raises WsgigroupsError for what failed."""
    number = answer.get("change")
    if number is None:
        click.echo("No changes.")
        return int(ExitCode.DONE)
    if no_wait:
        click.echo(str(number))
        return int(ExitCode.DONE)
    change = wait(options, number, timeout_s)
    for name, group in sorted(change["groups"].items()):
        if group["state"] in ("failed", "rolled-back"):
            explain_failure(name, group)
    return int(_OUTCOME[change["outcome"]])


def wait(options: Globals, number: int, timeout_s: float | None) -> dict[str, Any]:
    """Follow one change to its end, showing its progress. Raises WsgigroupsError (7) when time is up."""
    show = display(options.verbosity, options.color)
    try:
        return _wait(Client(options.run_dir), number, timeout_s, show)
    finally:
        if show:
            show.close()


def _wait(client: Client, number: int, timeout_s: float | None, show: Display | None) -> dict[str, Any]:
    until = None if timeout_s is None else time.monotonic() + timeout_s
    seen = ""
    while True:
        left_s = 30.0 if until is None else min(30.0, until - time.monotonic())
        if left_s <= 0:
            raise WsgigroupsError(
                f"cannot say how change {number} ends: {timeout_s:g} s are over",
                hint="it goes on; `wsgigroups status` shows how far it is",
                exit_code=ExitCode.TIMED_OUT,
            )
        change = client.wait(number, seen, left_s)
        seen = change["seen"]
        if show:
            show.update(change)
        if change["finished"]:
            return change


def explain_failure(name: str, group: dict[str, Any]) -> None:
    """Say what went wrong in a group, with the traceback where there is one."""
    error = group["error"] or {"message": "no reason is known", "traceback": None}
    outcome = "the processes in place stay" if group["state"] == "rolled-back" else "it did not come up"
    click.echo(f"error: group {name!r}: {outcome}", err=True)
    for line in indented(error["traceback"]):
        click.echo(line, err=True)
    click.echo(f"cause: {clean(error['message'])}", err=True)


def wait_until_ended(run_dir: Path, timeout_s: float | None) -> None:
    """Wait until the manager of this run directory has let go of its lock. Raises WsgigroupsError (7)."""
    import fcntl
    import os

    until = time.monotonic() + (10.0 if timeout_s is None else timeout_s)
    try:
        fd = os.open(run_dir / "manager.lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                return
    finally:
        os.close(fd)
    raise WsgigroupsError("cannot see the manager end in time", exit_code=ExitCode.TIMED_OUT)
