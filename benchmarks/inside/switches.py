"""The mechanisms of the request path that can be switched off, to see what each is worth.

Each is switched off from outside: by a constant of its module, or by what a server is made with. A constant that is not
there any more is an error, so that no switch stays that switches nothing. Imported by the benchmark's process, too.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

NEVER = 1 << 62
RUNTIME = "wsgigroups.runtime."


@dataclass(frozen=True)
class Switch:
    """One mechanism, in which layout and cases it is measured, and how it is switched off."""

    name: str
    without: str  # what happens instead, for people
    processes: int
    threads: int
    cases: tuple[str, ...]
    constants: tuple[tuple[str, str, Any], ...] = ()  # module of the runtime, its constant, the value that switches off
    pulses: bool = True  # whether siblings tell each other how they are


SWITCHES = (
    # The benchmark asks for a call of 30 ms first: from there on leaders hand over, until INLINE_ROW calls were short.
    Switch("inline", "leaders hand over before each call", 1, 15, ("varied",), (("calls.pace", "INLINE_ROW", NEVER),)),
    Switch("outbox", "each answer is sent at once", 1, 15, ("varied",), (("calls.pace", "BRIEF_NS", 0),)),
    Switch("lanes", "no request is known to be slow", 1, 15, ("varied", "mix"), (("calls.lanes", "SLOW_NS", NEVER),)),
    Switch(
        "accelerator",
        "heads are read and written in Python",
        1,
        15,
        ("varied", "hello"),
        (("protocol.heads", "READERS", None), ("accelerator", "IN_USE", None)),
    ),
    Switch("siblings", "processes do not tell each other how they are", 2, 8, ("varied", "sleep"), pulses=False),
)


def switch_of(name: str) -> Switch:
    """Return the switch of that name. Raises KeyError."""
    return {switch.name: switch for switch in SWITCHES}[name]


def throw(switch: Switch) -> None:
    """Switch off in this process, before a server is made. Raises ImportError, AttributeError."""
    for place, constant, value in switch.constants:
        module = importlib.import_module(RUNTIME + place)
        getattr(module, constant)  # it must be there
        setattr(module, constant, value)
