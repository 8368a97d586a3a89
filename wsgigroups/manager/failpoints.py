"""Places in an apply at which a test ends the manager as kill -9 would: what it leaves behind has to be whole.

Without the variable in the environment of whoever starts the manager, which is looked at once, nothing here does
anything. No tenant has a say in that environment, and daemons get one of their own.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "WSGIGROUPS_FAILPOINTS"  # names a file with the name of the place; the file goes when the manager does
POINTS = (
    "apply: its turn",
    "apply: resolved",
    "apply: planned",
    "apply: logs are there",
    "apply: listeners are open",
    "apply: numbered",
    "apply: revision stored",
    "apply: coming state stored",
    "apply: listeners in use",
    "apply: decided",
    "apply: code kept",
    "apply: state stored",
    "store: file opened",
    "store: file written",
    "store: file synced",
    "store: file replaced",
    "turn: handled",
    "turn: carried out",
    "spawn: asked for",
    "spawn: spawner there",
    "spawn: connections made",
    "spawn: fork sent",
    "spawn: forked",
    "spawn: spec about to go",
    "spawn: spec gone",
    "ready: heard",
    "ready: handled",
    "drain: about to go",
    "drain: gone",
    "exit: told",
    "exit: seen",
    "exit: handled",
    "exit: state stored",
    "exit: acknowledged",
    "release: about to begin",
    "release: listeners closed",
    "release: done",
    "end: change over",
    "end: state stored",
    "end: outcome stored",
)

_FILE = os.environ.get(VARIABLE)


def reached(point: str) -> None:
    """The manager is at this place."""
    if _FILE is not None:
        _end_at(point, _FILE)


def _end_at(point: str, path: str) -> None:
    try:
        with open(path, encoding="ascii") as file:
            wanted = file.read()
    except FileNotFoundError:
        return
    if wanted == point:
        os.unlink(path)
        os.kill(os.getpid(), signal.SIGKILL)
