"""How a change that was not simply done ended, in sentences, on standard error.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.cli.amounts import counted
from wsgigroups.cli.culprits import essence
from wsgigroups.cli.output import indented, say
from wsgigroups.cli.signs import written_to_stderr
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.client.answers import ChangeAnswer, ChangedGroupAnswer, LastErrorAnswer


def explain_change(change: ChangeAnswer, verbosity: int = 0) -> None:
    """Say of each group what went wrong, the one that is the cause first, and what runs now."""
    groups = sorted(change["groups"].items(), key=lambda item: (not _is_cause(item[1]), item[0]))
    returned = sorted(name for name, group in groups if group["state"] == "rolled-back")
    back = ""
    if returned:
        back = "nothing was replaced"
        if change["revision"] is not None:
            back = f"rolled back to revision {change['running_revision']}"
    alone = len(returned) == 1
    for name, group in groups:
        error = group["error"]
        if error is None:
            continue
        if _is_cause(group):
            _explain_cause(name, group, error, back if alone and name in returned else "", verbosity)
        elif group["state"] == "overtaken":
            _tell(name, error["message"])
    if returned and not (alone and _is_cause(change["groups"][returned[0]])):
        say(f"{back}: {', '.join(map(clean, returned))}")


def _is_cause(group: ChangedGroupAnswer) -> bool:
    return group["state"] in ("failed", "rolled-back") and group["error"] is not None


def _new_process(error: LastErrorAnswer) -> str:
    """What became of the new process: it may have been ready, and not have lasted."""
    unready = error["step"] or "ready" in error["message"]
    return "the new process failed to start" if unready else "the new process did not last"


def _tell(name: str, what: str) -> None:
    say(written_to_stderr(f"✗ {clean(name)}: {clean(what)}"))


def _explain_cause(name: str, group: ChangedGroupAnswer, error: LastErrorAnswer, back: str, verbosity: int) -> None:
    """Say what went wrong in a group: the one frame that matters, with -v the whole traceback."""
    aside = f" ({back})" if back else ""
    if error["life"] == 0:  # no process of the group is to blame
        _tell(name, f"{error['message']}{aside}")
        return
    old = group["ready"]
    removed = group["state"] != "failed" and not group["wanted"]
    if group["state"] == "failed":
        what = "its processes do not start; the manager tries again"
    elif removed:
        what = "its processes do not start; the group is removed again"
    elif old:
        keeps = f"{counted(old, 'old process', 'old processes')} {'keeps' if old == 1 else 'keep'} serving"
        what = f"{_new_process(error)}; {keeps}"
    else:
        what = _new_process(error)
    _tell(name, f"{what}{aside}")
    brief = essence(error["traceback"])
    for line in indented(error["traceback"] if verbosity > 0 or brief is None else brief[0]):
        say(line)
    say(f"    {clean(error['message'])}")
    if brief and verbosity <= 0:
        more = "apply -v" if removed else f"wsgigroups why {clean(name)}"
        say(f"  full traceback: {more}")
