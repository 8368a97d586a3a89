"""`wsgigroups upgrade`: have the manager become the version that is installed, and replace what runs with it.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.output import OUTPUT_FORMATS, say, write_data
from wsgigroups.cli.values import DURATION
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import deadline, follow
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client import Client
    from wsgigroups.client.answers import StatusAnswer, UpgradeAnswer

_TAKES_OVER_S = 60.0  # for the installed version to start and to find what runs
_REHEARSES_S = 90.0
_LEAVING = ("draining", "stopping")


@click.command("upgrade", cls=Verb)
@click.option("--no-restart", is_flag=True, help="Leave all processes as they are: only the manager is replaced.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.option("--timeout", type=DURATION, metavar="TIME", help="Give up waiting for new processes: 30, 5m; 0: never.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(options: Globals, no_restart: bool, yes: bool, timeout: float | None, output: str) -> int:
    """Hand over to the version that was installed meanwhile, without dropping a request.

    That version shows first that it can take over; where it cannot, the running one stays in charge (exit 1). Then
    the groups whose processes have another runtime are replaced one by one, successor first.
    """
    from wsgigroups.client import Client

    client = Client(options.run_dir, timeout_s=_REHEARSES_S)
    found = client.upgrade(rehearse_only=True)
    _confirm(found, options, no_restart, yes)
    begun = client.upgrade(rehearse_only=False)
    status = _taken_over(client, begun)
    say(f"Version {status['manager']['version']} has taken over (pid {status['manager']['pid']}).", options.verbosity)
    code, change = int(ExitCode.DONE), None
    former = _former(status)
    if former and not no_restart:
        change = client.act("restart", {"groups": former})["change"]
        code = follow(options, change, no_wait=False, timeout_s=None, until=deadline(timeout))
        former = _former(client.status())
    if output != "text":
        write_data({**begun, "change": change, "former": former}, output)
    elif former:
        say(f"Processes of the former version are left in: {', '.join(former)}.", options.verbosity)
    return code


def _confirm(found: UpgradeAnswer, options: Globals, no_restart: bool, yes: bool) -> None:
    """Say what will happen. Raises WsgigroupsError where nobody can be asked, click.Abort for a no."""
    say(
        f"The manager (pid {found['pid']}) of version {found['former_version']} hands over to version "
        f"{found['version']}; requests go on.",
        options.verbosity,
    )
    if not found["groups"]:
        say("No process has another runtime: none is replaced.", options.verbosity)
    elif no_restart:
        say(f"These groups keep their processes: {', '.join(found['groups'])}.", options.verbosity)
    else:
        say(f"These groups are restarted, successor first: {', '.join(found['groups'])}.", options.verbosity)
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise WsgigroupsError(
            "cannot ask whether to upgrade: standard input is no terminal", hint="add --yes", exit_code=ExitCode.USAGE
        )
    click.confirm("Go on?", abort=True, err=True)


def _taken_over(client: Client, begun: UpgradeAnswer) -> StatusAnswer:
    """Return the status document of the version that took over. Raises WsgigroupsError (1, 7)."""
    try:
        status = client.status(_TAKES_OVER_S)
    except WsgigroupsError as error:
        if error.exit_code is not ExitCode.NO_MANAGER:
            raise
        raise WsgigroupsError(
            f"cannot see version {begun['version']} take over: it has ended; all groups serve on without a manager",
            hint="its log says why; `wsgigroups apply` or the service manager starts one, which finds what runs",
        ) from None
    if status["manager"].get("handovers", 0) <= begun["handovers"]:
        raise WsgigroupsError(
            f"cannot upgrade: version {begun['version']} was not executed, the former one stays in charge",
            hint="the manager's log says why",
        )
    return status


def _former(status: StatusAnswer) -> list[str]:
    """Groups that are served by processes of another runtime; those that nothing is known of are left alone."""
    return [
        str(group["name"])
        for group in status["groups"]
        if not group["unknown"]
        and any(process["former_runtime"] and process["state"] not in _LEAVING for process in group["processes"])
    ]
