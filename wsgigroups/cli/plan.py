"""`wsgigroups plan`: what apply would do, why, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.loading import FILES, PROFILE, load_files
from wsgigroups.cli.output import OUTPUT_FORMATS, write_data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsgigroups.cli.main import Globals


def make_plan(
    options: Globals, files: Sequence[Path], profiles: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the plan and the configuration's document: against the manager that runs, or what runs without one."""
    from wsgigroups.client import Client

    configuration = load_files(files, profiles, options.color)
    document = configuration.to_document()
    client = Client(options.run_dir)
    if client.running():
        return client.post("/v1/plan", {"configuration": document}), document
    from wsgigroups.manager.store import Store
    from wsgigroups.manager.unmanaged import observe
    from wsgigroups.plan.planner import plan
    from wsgigroups.targets.resolve import resolve, surroundings

    try:
        digest_key = Store(options.state_dir).present_digest_key()
    except (OSError, ValueError):
        digest_key = None
    observed, notices = observe(options.run_dir, options.state_dir)
    made = plan(resolve(configuration, surroundings(options.log_dir, digest_key)), observed).to_json()
    return {**made, "notices": [*made["notices"], *notices]}, document


@click.command("plan")
@FILES
@PROFILE
@click.option("--detailed-exitcode", is_flag=True, help="Exit 0 without changes, 2 with changes.")
@click.option("-o", "--output", type=click.Choice(OUTPUT_FORMATS), default="text")
@click.pass_obj
def command(
    options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...], detailed_exitcode: bool, output: str
) -> int:
    """Show what apply would change, why, and what it costs."""
    from wsgigroups.cli.planning import show_plan

    plan, _document = make_plan(options, files, profiles)
    if output == "text":
        show_plan(plan, options.color)
    else:
        write_data(plan, output)
    return 2 if detailed_exitcode and not plan["empty"] else 0
