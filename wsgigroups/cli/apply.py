"""`wsgigroups apply`: make the running processes match the files, and wait until they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli import plan_files
from wsgigroups.cli.asking import ONLY, check_alone, request
from wsgigroups.cli.loading import FILES, PROFILE
from wsgigroups.cli.output import for_whoever_reads, say
from wsgigroups.cli.removing import confirm_removals
from wsgigroups.cli.turns import begin, with_turn
from wsgigroups.cli.verbs import Verb
from wsgigroups.cli.waiting import deadline, follow, with_wait
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import BegunAnswer, PlanAnswer

_NAMED = 5  # groups that are named where many leave


@click.command("apply", cls=Verb)
@FILES
@PROFILE
@ONLY
@click.option("--yes", is_flag=True, help="Do not ask before groups are removed.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@with_turn
@with_wait
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    only: bool,
    yes: bool,
    dry_run: bool,
    no_queue: bool,
    overtake: bool,
    no_wait: bool,
    timeout: float | None,
    output: str,
) -> int:
    """Make the running processes match the configuration, and wait until they are ready.

    Starts a manager in the background if none runs. A second identical apply prints "No changes." if everything is
    ready; what is not ready is waited for, or tried again. When a group of it fails whose processes served, or with it
    another's, all groups return to what they were. One apply at a time: the next one waits, and is told for whom.

    What is applied is the plan that is shown on standard output, whether or not somebody reads it there. FILE may also
    be one that `plan --out` has written: it is refused where the state has moved since.

    With --only, groups and sites that came from other files stay as they are, whatever became of those files.
    """
    from wsgigroups.cli.background import ensure_manager
    from wsgigroups.cli.bound import begin_bound
    from wsgigroups.cli.next_command import next_command
    from wsgigroups.cli.planning import show_plan, source_of, unseen_code
    from wsgigroups.client import Client
    from wsgigroups.plan.precondition import kinds_of

    if only and overtake:
        raise click.UsageError("--only waits for what is under way, it cannot --overtake it.")
    saved = plan_files.read(files)
    if only and not saved:
        started = not dry_run and ensure_manager(options, check=lambda: check_alone(options, files, profiles))
        asked = request(options, files, profiles, only=True)
    else:
        asked = saved.asked if saved else request(options, files, profiles, only=False)  # once: it may be replaced now
        started = not dry_run and ensure_manager(options, check=lambda: saved or asked.plan(options))
    plan = saved.plan if saved else asked.plan(options)
    readable = output == "text"
    more: dict[str, Any] = {} if readable else {"plan": plan}
    # a plan of earlier with nothing to do is refused, too, where the state has moved: the manager is to look
    if dry_run or (plan["empty"] and not plan.get("unrecorded") and not saved):
        if readable and not plan["empty"]:
            flags = ("--only",) if only else ()
            line = next_command(options, "apply", files, profiles, flags) if options.verbosity >= 0 else ""
            show_plan(plan, options.color, heading=source_of(plan, files, only=only), next_command=line)
            return int(ExitCode.DONE)
        code = follow(options, None, no_wait, timeout, output=output, more=more)
        if readable and plan["empty"] and (hint := unseen_code(plan)):
            say(hint, options.verbosity)
        return code
    if readable and not plan["empty"] and options.verbosity >= 0:
        with for_whoever_reads():
            show_plan(plan, options.color, heading=source_of(plan, files, only=only))
    confirm_removals(plan, () if saved else files, yes=yes)
    client, until = Client(options.run_dir), deadline(timeout)

    def post(shown: PlanAnswer) -> BegunAnswer:
        agreed = {} if saved else {"shown": kinds_of(shown), "agrees": yes}
        body = {**asked.body, "precondition": shown["precondition"], **agreed}
        return begin(client, "apply", body, queue=not no_queue, overtake=overtake, until=until)

    def again() -> PlanAnswer:
        return asked.plan(options)

    try:
        answer = post(plan) if saved else begin_bound(plan, post, again, yes=yes, color=options.color)
    except WsgigroupsError:
        if started and not client.status()["groups"]:
            client.act("shutdown", {})  # a manager that was started for nothing
        raise
    number = answer["change"] if answer is not None else None
    code = follow(options, number, no_wait, timeout, until=until, output=output, more=more)
    if number is not None and not no_wait and readable and options.verbosity >= 0:
        from wsgigroups.cli.status_table import show_status

        with for_whoever_reads():
            show_status(client.status(), options.color)
    return code
