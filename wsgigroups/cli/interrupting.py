"""Ctrl-C while somebody waits for a change: the change does not end with the command that began it.

Runs in the user's process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.output import say
from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.client import Client

INTERRUPTED = 130  # as a shell says SIGINT
_ORDERS = {"p": "pause", "r": "rollback"}
_UNDONE = ("apply", "deploy", "rollback")
_QUESTION = "Interrupted. Go on waiting (g), leave: the change goes on without you (l)"


def go_on_waiting(client: Client, number: int) -> bool:
    """Ask on a terminal what to do about the change: whether to wait on, for its end or for that of its undoing.

    Without a terminal, and when the change goes on alone, say how to come back to it. One that is over when the answer
    comes has an end to tell of, whatever the answer is. Raises WsgigroupsError where it could not be undone.
    """
    change = client.wait(number, wait_s=0.0)
    kind = change["kind"]
    choice = "g" if change["finished"] else _ask(kind)
    refused = _do(client, number, choice)
    outcome = client.wait(number, wait_s=0.0)["outcome"]
    if refused and (outcome == "pending" or (choice == "r" and outcome == "done")):
        raise refused
    if choice in ("l", "p") and outcome != "pending":
        say(f"Change {number} ({kind}) is over meanwhile.")
        return True
    if choice == "p":
        say(f"Change {number} ({kind}) is paused: no further process is replaced.")
        say("hint: `wsgigroups resume` lets it go on, `wsgigroups rollback` undoes it")
    if choice == "l":
        say(f"Interrupted: change {number} ({kind}) goes on in the background.")
        say(f"hint: {ways_back(kind, number)}")
    return choice not in ("l", "p")


def _do(client: Client, number: int, choice: str) -> WsgigroupsError | None:
    """Ask the manager for it, and return why it refuses: the change may be over by now."""
    try:
        if choice in _ORDERS:
            client.act(_ORDERS[choice], {"change": number})
    except WsgigroupsError as error:
        return error
    return None


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
