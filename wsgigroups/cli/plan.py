"""`wsgigroups plan`: what apply would do, why, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.loading import FILES, PROFILE, load_files
from wsgigroups.cli.output import OUTPUT_FORMATS, say, write_data
from wsgigroups.cli.verbs import Verb

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import PlanAnswer
    from wsgigroups.config import Configuration


def make_plan(options: Globals, configuration: Configuration) -> tuple[PlanAnswer, dict[str, Any]]:
    """Return the plan and the configuration's document: against the manager that runs, or what runs without one."""
    from wsgigroups.client import Client

    document = configuration.to_document()
    client = Client(options.run_dir)
    if client.running():
        return client.plan(document), document
    from wsgigroups.manager.unmanaged import plan_unmanaged

    planned: Any = plan_unmanaged(configuration, options.run_dir, options.state_dir, options.log_dir)
    return planned, document


@click.command("plan", cls=Verb)
@FILES
@PROFILE
@click.option("--detailed-exitcode", is_flag=True, help="Exit 0 without changes, 2 with changes.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the plan to a file for `apply`.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    detailed_exitcode: bool,
    out: Path | None,
    output: str,
) -> int:
    """Show what apply would change, why, and what it costs."""
    from wsgigroups.cli.next_command import next_command
    from wsgigroups.cli.planning import show_plan, source_of, unseen_code

    plan, document = make_plan(options, load_files(options, files, profiles, on_this_host=True))
    if out is not None:
        from wsgigroups.cli import plan_files

        plan_files.save(out, plan, document)
    if output == "text":
        again = next_command(options, "apply", [out] if out is not None else files, () if out is not None else profiles)
        show_plan(
            plan,
            options.color,
            heading=source_of(plan, files),
            next_command=again if options.verbosity >= 0 else "",
        )
        if plan["empty"] and (hint := unseen_code(plan)):
            say(hint, options.verbosity)
    else:
        write_data(plan, output)
    return 2 if detailed_exitcode and not plan["empty"] else 0
