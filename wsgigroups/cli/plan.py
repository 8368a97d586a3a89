"""`wsgigroups plan`: what apply would do, why, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.asking import ONLY, request
from wsgigroups.cli.loading import FILES, PROFILE
from wsgigroups.cli.output import OUTPUT_FORMATS, say, write_data
from wsgigroups.cli.verbs import Verb

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals


@click.command("plan", cls=Verb)
@FILES
@PROFILE
@ONLY
@click.option("--detailed-exitcode", is_flag=True, help="Exit 0 without changes, 2 with changes.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the plan to a file for `apply`.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    only: bool,
    detailed_exitcode: bool,
    out: Path | None,
    output: str,
) -> int:
    """Show what apply would change, why, and what it costs."""
    from wsgigroups.cli.next_command import next_command
    from wsgigroups.cli.planning import show_plan, source_of, unseen_code

    asked = request(options, files, profiles, only=only)
    plan = asked.plan(options)
    if out is not None:
        from wsgigroups.cli import plan_files

        plan_files.save(out, plan, asked)
    if output == "text":
        again = (
            next_command(options, "apply", [out])
            if out is not None
            else next_command(options, "apply", files, profiles, ("--only",) if only else ())
        )
        show_plan(
            plan,
            options.color,
            heading=source_of(plan, files, only=only),
            next_command=again if options.verbosity >= 0 else "",
        )
        if plan["empty"] and (hint := unseen_code(plan)):
            say(hint, options.verbosity)
    else:
        write_data(plan, output)
    return 2 if detailed_exitcode and not plan["empty"] else 0
