"""How a change that was not simply done ended, in sentences, on standard error.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.cli.output import indented, say
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.client.answers import ChangeAnswer, ChangedGroupAnswer, LastErrorAnswer


def explain_change(change: ChangeAnswer) -> None:
    """Say of each group what went wrong, the one that is the cause first, and what runs now."""
    groups = sorted(change["groups"].items(), key=lambda item: (not _is_cause(item[1]), item[0]))
    for name, group in groups:
        error = group["error"]
        if error is None:
            continue
        if _is_cause(group):
            _explain_cause(name, group, error)
        elif group["state"] == "overtaken":
            say(f"error: {name}: {clean(error['message'])}")
    returned = sorted(name for name, group in groups if group["state"] == "rolled-back")
    if not returned:
        return
    if change["revision"] is None:
        say(f"nothing was replaced: {', '.join(returned)}")
    else:
        say(f"rolled back to revision {change['running_revision']}: {', '.join(returned)}")


def _is_cause(group: ChangedGroupAnswer) -> bool:
    return group["state"] in ("failed", "rolled-back") and group["error"] is not None


def _explain_cause(name: str, group: ChangedGroupAnswer, error: LastErrorAnswer) -> None:
    """Say what went wrong in a group, with the traceback where there is one."""
    if error["life"] == 0:  # no process of the group is to blame
        say(f"error: {name}: {clean(error['message'])}")
        return
    old = group["ready"]
    if group["state"] == "failed":
        what = "its processes do not start; the manager tries again"
    elif not group["wanted"]:
        what = "its processes do not start; the group is removed again"
    elif old:
        what = f"the new process failed to start; {_processes(old)} of before {'serve' if old > 1 else 'serves'} on"
    else:
        what = "the new process failed to start"
    say(f"error: {name}: {what}")
    for line in indented(error["traceback"]):
        say(line)
    say(f"cause: {clean(error['message'])}")


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"
