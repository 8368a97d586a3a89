"""Whether there are other users at all: in a container there are often none. Needs /proc.

Runs in the manager and in commands, only when a path is in doubt.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def is_alone(uids: Collection[int], proc: str = "/proc") -> bool:
    """Whether every process that there is belongs to one of these users. proc: where they are shown (tests).

    Where others' processes are hidden (hidepid of proc(5)) even the first one is, and nothing is known of them.
    """
    seen = False
    try:
        with os.scandir(proc) as entries:
            for entry in entries:
                if not entry.name.isdecimal():
                    continue
                try:
                    owner = entry.stat(follow_symlinks=False).st_uid
                except FileNotFoundError:
                    continue  # it has ended
                if owner not in uids:
                    return False
                seen = seen or entry.name == "1"
    except OSError:
        return False
    return seen
