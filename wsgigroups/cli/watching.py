"""`status --watch`, and `status --check --for`: looking again and again.

Runs in the user's process.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from wsgigroups.cli.output import say
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsgigroups.client.answers import StatusAnswer

LOOK_S = 0.5  # between two looks of --for
_AGAIN_S = 1.0  # of --watch


def watch_status(ask: Callable[[], StatusAnswer], color: str, *, named: bool, wide: bool, sites: bool) -> None:
    """Show the status again every second until interrupted; while no manager answers, what the last one said.

    On a terminal in the same place; where nothing can be overwritten, as in a pipe, one below the other.
    """
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from wsgigroups.cli.status_table import Shape, status_console, status_view

    out = status_console(color)
    in_place = out.is_terminal and not out.is_dumb_terminal
    status = ask()
    with Live(console=out, auto_refresh=False, vertical_overflow="ellipsis") if in_place else nullcontext() as live:
        while True:
            shape = Shape(out.width, wide=wide, processes=named or wide, sites=sites)
            lost = ""
            try:
                status = ask()
            except WsgigroupsError as error:
                if error.exit_code not in (ExitCode.NO_MANAGER, ExitCode.TIMED_OUT):
                    raise
                lost = f"no manager answers, this is from before: {error.message}"
            view = Group(status_view(status, shape, out), Text(lost, style="red"))
            if live:
                live.update(view, refresh=True)
            else:
                out.print(view)
                out.file.flush()
            time.sleep(_AGAIN_S)


def lasting(
    ask: Callable[[], StatusAnswer],
    unhealthy: Callable[[StatusAnswer], Sequence[str]],
    for_s: float,
    verbosity: int,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[StatusAnswer, bool]:
    """Look until that time is over, or something is not well; return the last status, and whether all was well.

    unhealthy: who is not ready. A process that was replaced between two looks, and nobody had asked for that, is not
    well either. Says on stderr what it is.
    """
    if math.isinf(for_s):
        raise WsgigroupsError("cannot check for ever", hint="--for takes a time", exit_code=ExitCode.USAGE)
    until = clock() + for_s
    status = ask()
    before = {group["name"]: group["restarts"] for group in status["groups"]}
    while True:
        ill = list(unhealthy(status))
        ill += [group["name"] for group in status["groups"] if group["restarts"] != before.get(group["name"])]
        left_s = until - clock()
        if ill or left_s <= 0:
            if ill:
                say(f"not ready: {', '.join(dict.fromkeys(ill))}", verbosity)
            return status, not ill
        pause(min(LOOK_S, left_s))
        status = ask()
