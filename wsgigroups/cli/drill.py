"""`wsgigroups drill`: load at a group while its processes are replaced, and a count of what was lost.

Runs in the user's process.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.completing import complete_groups
from wsgigroups.cli.output import OUTPUT_FORMATS, say, write_data
from wsgigroups.cli.values import DURATION
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals

COLUMNS = ("sent", "answered", "lost", "late", "repeated", "closed")
BACK_S = 5.0  # for whoever supervises the manager to start another one; then it is started here


@click.command("drill", cls=Verb)
@click.argument("group", metavar="GROUP", shell_complete=complete_groups)
@click.option("--restarts", type=click.IntRange(0, 1000), default=3, show_default=True, help="Rolling restarts.")
@click.option(
    "--scale",
    type=click.IntRange(1, 1000),
    multiple=True,
    metavar="N",
    help="Scale to N processes between the restarts, and back at the end; repeatable.",
)
@click.option(
    "--requests", type=click.IntRange(1, 10**7), default=2000, show_default=True, help="Ask at least so often."
)
@click.option(
    "--clients", type=click.IntRange(1, 256), default=8, show_default=True, help="Clients; half keep connections."
)
@click.option("--path", default="/", show_default=True, help="The URL path that is asked for, with GET.")
@click.option("--host", default="localhost", show_default=True, help="The Host field.")
@click.option("--late", type=DURATION, default="250ms", show_default=True, help="An answer before that is never late.")
@click.option("--timeout", type=DURATION, default="2m", show_default=True, help="For each step to be complete.")
@click.option("--manager", is_flag=True, help="End the manager as well, with SIGKILL; another one takes over.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(
    options: Globals,
    group: str,
    restarts: int,
    scale: tuple[int, ...],
    requests: int,
    clients: int,
    path: str,
    host: str,
    late: float | None,
    timeout: float | None,
    manager: bool,
    yes: bool,
    output: str,
) -> int:
    """Prove that nothing is lost: load at the group's own listener through restarts, a crash and a recycle.

    Exits with 0 if every request was answered, else with 1. A request that the crash cut off is asked once more, as
    browsers and proxies do with GET; every other one has one attempt.
    """
    from wsgigroups.cli import drilling
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    drilling.ready_group(client, group)
    drill = drilling.Drill(
        group, restarts, requests, clients, path, host, late or 0.0, timeout or 86400.0,
        (lambda: _restart_manager(options, client)) if manager else None, scale,
    )  # fmt: skip
    _confirm(drill.steps(), yes, options.verbosity)
    found = drilling.run(client, drill, lambda name: say(f"{name} …", options.verbosity))
    if output == "text":
        _show(found)
    else:
        write_data(found, output)
    return int(ExitCode.FAILED if found["lost"] else ExitCode.DONE)


def _confirm(steps: list[str], yes: bool, verbosity: int) -> None:
    for text in ("This drill will", *(f"  - {step}" for step in steps)):
        say(text, verbosity)
    if yes:
        return
    if not sys.stdin.isatty():
        raise WsgigroupsError(
            "cannot begin a drill without being told", hint="--yes confirms it", exit_code=ExitCode.USAGE
        )
    click.confirm("Begin?", abort=True, err=True)


def _restart_manager(options: Globals, client: Any) -> None:
    """Kill it; wait a moment for its supervisor to start another one, and start one here if nobody does."""
    from wsgigroups.cli.background import ensure_manager

    pid = int(client.status()["manager"]["pid"])
    pidfd = os.pidfd_open(pid)
    try:
        if int(client.status()["manager"]["pid"]) != pid:
            raise WsgigroupsError("cannot end the manager: another one has just taken over")
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [], BACK_S)  # until it has ended (pidfd_open(2)): its socket answers until then
    except PermissionError:
        raise WsgigroupsError(
            "cannot end the manager: permission denied",
            hint="run the drill as the user who started it",
            exit_code=ExitCode.NOT_PERMITTED,
        ) from None
    finally:
        os.close(pidfd)
    until = time.monotonic() + BACK_S
    while time.monotonic() < until:
        if client.running():
            return
        time.sleep(0.1)
    ensure_manager(options, check=lambda: None)


def _show(found: dict[str, Any]) -> None:
    width = max(len(phase["name"]) for phase in found["phases"])
    click.echo(f"{'':{width}}" + "".join(f"{name:>10}" for name in (*COLUMNS, "p50 ms", "p99 ms")))
    for phase in found["phases"]:
        numbers = "".join(f"{phase[name]:>10}" for name in COLUMNS)
        click.echo(f"{phase['name']:{width}}{numbers}{phase['p50_s'] * 1000:>10.1f}{phase['p99_s'] * 1000:>10.1f}")
    click.echo(f"{'all':{width}}" + "".join(f"{found[name]:>10}" for name in COLUMNS))
    for loss in found["losses"]:
        click.echo(f"lost: {loss}")
    if found["lost"]:
        click.echo(f"{found['lost']} of {found['sent']} requests were lost.")
    else:
        click.echo(f"Nothing was lost: {found['answered']} of {found['sent']} requests were answered.")
