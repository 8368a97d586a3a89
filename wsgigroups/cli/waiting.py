"""Waiting for a change: progress as it happens, its outcome as an exit code.

Runs in the user's process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.interrupting import INTERRUPTED, go_on_waiting, ways_back
from wsgigroups.cli.news import SILENCE_S, ChangeNews
from wsgigroups.cli.outcomes import explain_change
from wsgigroups.cli.output import OUTPUT_FORMATS, say, write_data
from wsgigroups.cli.progress import Display, display
from wsgigroups.cli.values import DURATION
from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import ChangeAnswer

_OUTCOME = {
    "done": ExitCode.DONE,
    "failed": ExitCode.FAILED,
    "overtaken": ExitCode.FAILED,
    "rolled-back": ExitCode.ROLLED_BACK,
}

_LAST_MOMENT_S = 1.0  # between the lock that is let go and the end of the process, at most

WAIT = (
    click.option("--no-wait", is_flag=True, help="Do not wait; print the change's number, for `wsgigroups wait`."),
    click.option(
        "--timeout", type=DURATION, metavar="TIME", help="Give up waiting after that long: 30, 30s, 5m; 0: never."
    ),
    click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text", help="How to say how it ended."),
)


def with_wait(function: Any) -> Any:
    """Add --no-wait, --timeout and --output to a command."""
    for option in reversed(WAIT):
        function = option(function)
    return function


def deadline(timeout_s: float | None) -> float | None:
    """When a wait that begins now is over, on the monotonic clock; None: never."""
    return None if timeout_s is None else time.monotonic() + timeout_s


def follow(
    options: Globals,
    number: int | None,
    no_wait: bool,
    timeout_s: float | None,
    *,
    until: float | None = None,
    good: str = "done",
    output: str = "text",
    more: Mapping[str, Any] | None = None,
    begun: bool = True,
) -> int:
    """Wait for a change, None where nothing was to be done; return the exit code, after it was told what failed.

    until: a wait that has begun already; good: the outcome that was asked for; more: what else a program is told;
    begun: by this command, just now. Raises WsgigroupsError (7).
    """
    if number is None:
        if output == "text":
            click.echo("No changes.")
        else:
            write_change(None, output, None, more)
        return int(ExitCode.DONE)
    if no_wait:
        if output == "text":
            click.echo(str(number))
        else:
            write_change(Client(options.run_dir).wait(number, wait_s=0.0), output, number, more)
        say(f"change {number} goes on; `wsgigroups wait {number}` waits for its end", options.verbosity)
        return int(ExitCode.DONE)
    until = until if until is not None else deadline(timeout_s)
    client = Client(options.run_dir)
    news = ChangeNews(client.status, timed=begun)
    while True:
        try:
            change = _wait_shown(options, number, timeout_s, until, news)
            break
        except KeyboardInterrupt:
            if not go_on_waiting(client, number):
                return INTERRUPTED
    if output != "text":
        write_change(change, output, number, more)
    if change["outcome"] == good:
        return int(ExitCode.DONE)
    explain_change(change, options.verbosity)
    return int(_OUTCOME[change["outcome"]])


def write_change(
    change: ChangeAnswer | None, output: str, number: int | None, more: Mapping[str, Any] | None = None
) -> None:
    """Write for programs what became of a change. None: it had nothing to do, or nobody is there any more to ask."""
    found: dict[str, Any] | None = None
    if change is not None:
        found = {key: value for key, value in change.items() if key != "seen"}
    elif number is not None:
        found = {"id": number, "outcome": "done", "finished": True}
    write_data({"schema_version": 1, **(more or {}), "change": found}, output)


def _wait_shown(
    options: Globals, number: int, timeout_s: float | None, until: float | None, news: ChangeNews
) -> ChangeAnswer:
    """Follow one change to its end, showing its progress. Raises WsgigroupsError (7) when time is up."""
    show = display(options.verbosity, options.color, news)
    try:
        return _wait(Client(options.run_dir), number, timeout_s, until, show)
    finally:
        if show:
            show.close()


def _wait(
    client: Client, number: int, timeout_s: float | None, until: float | None, show: Display | None
) -> ChangeAnswer:
    seen, kind = "", ""
    while True:
        left_s = SILENCE_S if until is None else min(SILENCE_S, until - time.monotonic())
        if left_s <= 0:
            raise WsgigroupsError(
                f"timed out after {timeout_s:g} s; change {number} is still under way",
                hint=ways_back(kind, number),
                exit_code=ExitCode.TIMED_OUT,
            )
        change = client.wait(number, seen, left_s)
        seen, kind = change["seen"], change["kind"]
        if show:
            show.update(change)
        if change["finished"]:
            return change


def end_of(pid: int) -> int:
    """Return a descriptor to read once this process has ended (pidfd_open(2)); -1: it is not seen from here."""
    import os

    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def wait_until_ended(run_dir: Path, timeout_s: float | None, ended: int) -> None:
    """Wait until the manager of this run directory has let go of its lock, and is gone. Raises WsgigroupsError (7).

    ended: what `end_of` gave for it; it lets go of its lock a moment before.
    """
    import fcntl
    import os
    import select

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
                if ended >= 0:
                    select.select([ended], [], [], _LAST_MOMENT_S)
                return
    finally:
        os.close(fd)
    raise WsgigroupsError("cannot see the manager end in time", exit_code=ExitCode.TIMED_OUT)
