"""Python's garbage collector while modules are loaded: they stay, and to look through them again and again takes time.

Imports nothing else, since it is what comes first.
"""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()
_SELDOM = 50_000  # objects: a manager's modules make about 80 000, and nearly all of them stay


def seldom() -> None:
    """Collect seldom from now on: a tenth of a command's time."""
    gc.set_threshold(_SELDOM, *_USUAL[1:])


def as_usual() -> None:
    """Collect as ever, in a process that lasts."""
    gc.set_threshold(*_USUAL)
