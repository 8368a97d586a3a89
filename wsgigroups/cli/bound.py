"""An apply is bound to the plan that was shown: where the state has moved, the plan is shown and asked for again.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.output import say
from wsgigroups.cli.planning import show_plan
from wsgigroups.errors import MovedError, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.client.answers import BegunAnswer, PlanAnswer, PreconditionAnswer

ATTEMPTS = 100  # at plans that are out of date when their turn comes: each apply that was before makes it so once

Begin = Callable[["PreconditionAnswer | None"], "BegunAnswer"]  # posts an apply with this precondition


def begin_bound(
    plan: PlanAnswer, begin: Begin, again: Callable[[], PlanAnswer], *, yes: bool, color: str
) -> BegunAnswer | None:
    """Begin what was shown, or a plan that was made anew; None when that has nothing to do.

    A plan that does nothing more to any group than the one which was shown needs no other consent. Raises MovedError.
    """
    shown = plan
    for _attempt in range(ATTEMPTS):
        try:
            return begin(shown["precondition"])
        except MovedError as moved:
            from wsgigroups.plan.precondition import covered

            now = again()
            if now["empty"]:
                return None
            say(f"The state has changed since the plan was made: {clean('; '.join(moved.moved[:3]))}. The plan now:")
            show_plan(now, color)
            if not yes and not covered(shown, now):
                if not sys.stdin.isatty():
                    raise
                click.confirm("Apply this plan?", abort=True, err=True)
            shown = now
    raise WsgigroupsError("cannot apply: the state changes faster than plans are made", hint="nothing was changed")
