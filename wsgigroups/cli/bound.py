"""An apply is bound to the plan that was shown: where the state has moved, the plan is shown and asked for again.

The manager makes it anew when it is this one's turn, and goes on where nothing was asked for but what was shown. Only
where somebody has to be asked it is made anew here, and has to wait for its turn again. Runs in the user's process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.output import for_whoever_reads, say
from wsgigroups.cli.planning import show_plan
from wsgigroups.errors import MovedError, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.client.answers import BegunAnswer, PlanAnswer

ATTEMPTS = 100  # at plans that are out of date when their turn comes, after somebody has agreed to them

Begin = Callable[["PlanAnswer"], "BegunAnswer"]  # posts an apply that this plan was shown for


def begin_bound(
    plan: PlanAnswer, begin: Begin, again: Callable[[], PlanAnswer], *, yes: bool, color: str
) -> BegunAnswer | None:
    """Begin what was shown, or a plan that was made anew; None when that has nothing to do.

    A plan that does nothing more to any group than the one which was shown needs no other consent. Raises MovedError.
    """
    shown = plan
    for _attempt in range(ATTEMPTS):
        try:
            begun = begin(shown)
        except MovedError as moved:
            from wsgigroups.plan.precondition import covered

            now = again()
            if now["empty"]:
                return None
            _tell(moved.moved, now, color)
            if not yes and not covered(shown, now):
                if not sys.stdin.isatty():
                    raise
                click.confirm("Apply this plan?", abort=True, err=True)
            shown = now
        else:
            if begun["plan"] and not begun["plan"]["empty"]:
                _tell(begun["moved"], begun["plan"], color)
            return begun
    raise WsgigroupsError("cannot apply: the state changes faster than plans are made", hint="nothing was changed")


def _tell(moved: Iterable[str], now: PlanAnswer, color: str) -> None:
    say(f"The state has changed since the plan was made: {clean('; '.join(list(moved)[:3]))}. The plan now:")
    with for_whoever_reads():
        show_plan(now, color)
