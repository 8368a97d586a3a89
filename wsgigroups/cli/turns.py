"""Asking the manager to apply: one apply at a time, so that this one may have to wait for its turn.

Runs in the user's process.
"""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.output import say
from wsgigroups.errors import BusyError, ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.client import Client
    from wsgigroups.client.answers import BegunAnswer

_PATIENCE_S = 30.0  # of one call
_MAXIMUM_COMMAND = 500

TURN = (
    click.option("--no-queue", is_flag=True, help="Leave at once (exit 1) when another apply is under way."),
    click.option("--overtake", is_flag=True, help="Take the place of an apply that is under way."),
)


def with_turn(function: Any) -> Any:
    """Add --no-queue and --overtake to a command."""
    for option in reversed(TURN):
        function = option(function)
    return function


def begin(
    client: Client, action: str, body: dict[str, Any], *, queue: bool, overtake: bool, until: float | None
) -> BegunAnswer:
    """Post it, and again until it is its turn; say who is before. until: on the monotonic clock.

    Raises BusyError (1) where it may not queue, and WsgigroupsError (7) when time is up.
    """
    command = shlex.join(["wsgigroups", *sys.argv[1:]])[:_MAXIMUM_COMMAND]
    body = {**body, "command": command, "overtake": overtake}
    told, wait_s = None, 0.0
    while True:
        try:
            return client.act(action, {**body, "wait_s": wait_s})
        except BusyError as busy:
            if not queue:
                raise
            paused = bool(busy.holder.get("paused"))
            holder = (busy.holder["change"], busy.holder["pid"], paused)
            if holder != told:
                say(f"Waiting: {clean(busy.message)}")
                if paused and busy.hint:  # it does not end by itself
                    say(f"hint: {clean(busy.hint)}")
                told = holder
            wait_s = _PATIENCE_S if until is None else min(_PATIENCE_S, until - time.monotonic())
            if wait_s <= 0:
                raise WsgigroupsError(
                    f"timed out while waiting for another apply; nothing was changed: {busy.message}",
                    hint=busy.hint if paused else "--overtake takes its place",
                    exit_code=ExitCode.TIMED_OUT,
                ) from None
