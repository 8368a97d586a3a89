"""Ctrl-C while somebody waits for a change: the change does not end with the command that began it.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.output import say

if TYPE_CHECKING:
    from wsgigroups.client import Client

INTERRUPTED = 130  # as a shell says SIGINT
_UNDONE = ("apply", "deploy", "rollback")
_QUESTION = "Interrupted. Go on waiting (g), leave: the change goes on without you (l)"


def go_on_waiting(client: Client, number: int) -> bool:
    """Ask on a terminal what to do about the change: whether to wait on, for its end or for that of its undoing.

    Without a terminal, and when the change goes on alone, say how to come back to it.
    """
    kind = client.wait(number, wait_s=0.0)["kind"]
    choice = _ask(kind)
    if choice == "r":
        client.act("rollback", {"change": number})
    if choice == "p":
        client.act("pause", {"change": number})
        say(f"Change {number} ({kind}) is paused: no further process is replaced.")
        say("hint: `wsgigroups resume` lets it go on, `wsgigroups rollback` undoes it")
        return False
    if choice != "l":
        return True
    say(f"Interrupted: change {number} ({kind}) goes on in the background.")
    say(f"hint: {ways_back(kind, number)}")
    return False


def ways_back(kind: str, number: int) -> str:
    """What can be done about a change that nobody waits for."""
    undo = ", `wsgigroups rollback` undoes it" if kind in _UNDONE else ""
    return f"it goes on; `wsgigroups wait {number}` waits for its end{undo}"


def _ask(kind: str) -> str:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        return "l"
    letters, question = ["g", "l"], _QUESTION
    if kind in _UNDONE:
        letters, question = ["g", "l", "p", "r"], f"{_QUESTION}, pause (p), roll back (r)"
    try:
        answer: Any = click.prompt(f"\n{question}", type=click.Choice(letters), default="l", err=True)
    except (click.Abort, KeyboardInterrupt):
        return "l"
    return str(answer)
