"""What must not be left after a test: zombies, files, descriptors, and tracebacks that nobody announced.

Runs in pytest's process; the reading of logs is pure.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.looking import pause

SETTLES_S = 10.0
_TRACEBACK = re.compile(r"^(?P<indent> *).*Traceback \(most recent call last\)")
_OTHER = re.compile(r"Fatal Python error|\[BUG\]")


@dataclass(frozen=True)
class Announced:
    """Text of a traceback that a test provokes. times None: at least once."""

    text: str
    times: int | None = None


def incidents(log: str) -> list[str]:
    """Return each traceback of a log with its error's line, and each line about a crash or a bug of ours."""
    lines = log.splitlines()
    found = []
    for number, line in enumerate(lines):
        match = _TRACEBACK.match(line)
        if match:
            found.append("\n".join(_block(lines[number:], len(match["indent"]))))
        elif _OTHER.search(line):
            found.append(line)
    return found


def _block(lines: Sequence[str], indent: int) -> Iterable[str]:
    """Yield the lines of the traceback that begins here: deeper ones, then the error's own, where it stands."""
    yield lines[0]
    for line in lines[1:]:
        yield line
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            return


def complaints(logs: Mapping[str, str], announced: Sequence[Announced]) -> list[str]:
    """Return what was not announced, and what was announced and did not come (or not that often)."""
    seen: Counter[str] = Counter()
    found = []
    for name, log in logs.items():
        for incident in incidents(log):
            reasons = [item.text for item in announced if item.text in incident]
            seen.update(reasons)
            if not reasons:
                found.append(f"{name}: not announced:\n{incident}")
    for item in announced:
        count = seen[item.text]
        if not count if item.times is None else count != item.times:
            wanted = "at least once" if item.times is None else f"{item.times} times"
            found.append(f"announced {wanted} and seen {count} times: {item.text}")
    return found


def lasting_zombies(manager: int) -> list[str]:
    """Return the dead that a manager or a spawner does not reap: one that is there now and then is only on its way.

    What an application forks and does not reap is its own affair.
    """
    until = time.monotonic() + SETTLES_S
    lasting: set[tuple[int, str]] | None = None
    while time.monotonic() < until:
        now = {dead for process in _reaped_by_us(manager) if (dead := _zombie(process))}
        lasting = now if lasting is None else lasting & now
        if not lasting:
            return []
        pause()
    return [f"{pid} {name}" for pid, name in sorted(lasting or ())]


def _reaped_by_us(manager: int) -> list[psutil.Process]:
    """The children of a manager and of its spawners; an orphan of a daemon is the manager's child."""
    try:
        children = psutil.Process(manager).children()
    except psutil.NoSuchProcess:
        return []
    found = list(children)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += child.children()
    return found


def _zombie(process: psutil.Process) -> tuple[int, str] | None:
    """Process id and name of one that is dead and not reaped; None for a living one and for one reaped meanwhile."""
    try:
        return (process.pid, process.name()) if process.status() == psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def sockets_below(directory: Path) -> list[str]:
    """Return the UNIX sockets that are left in a directory."""
    return sorted(str(path) for path in directory.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode))


def descriptors(pid: int) -> Counter[str]:
    """Return how many descriptors of each kind a process has open: sockets as one kind, files by their path."""
    kinds: Counter[str] = Counter()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        kinds[re.sub(r":\[\d+\]$", "", target)] += 1
    return kinds
