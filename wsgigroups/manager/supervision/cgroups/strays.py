"""Finding in /proc what a life left behind, where no cgroup holds it together. Which ones is decided purely.

A stray is a process of the life's user that shows that it comes from there: it is in the life's session, was seen as
a descendant, or holds what only processes of that life, or of its group, are given. Where no other life of that user
is left, whoever was re-parented to the manager counts, too: it can come from nowhere else than from this life, or from
one before it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MAXIMUM_LINKS = 8192  # of one process: a tenant may have hundreds of thousands, in many processes
_GONE = "ZX"  # states of processes that have ended


@dataclass(frozen=True, slots=True)
class Seen:
    """One process as /proc/PID/stat shows it (proc(5)). started: clock ticks after the boot; with pid an identity."""

    pid: int
    parent: int
    session: int
    started: int
    state: str = "S"


@dataclass(frozen=True, slots=True)
class Ended:
    """A life that has ended: what its strays can be known by."""

    pid: int
    uid: int
    started: int
    descendants: frozenset[tuple[int, int]]  # pid and started, as seen before it ended
    marks: frozenset[str]  # what it was given and nobody else may have: `pipe:[1]`, `socket:[2]`
    alone: bool  # no other life of its user is left
    since: int  # when the first life of its user began since the last time that none was left: as started


@dataclass(frozen=True, slots=True)
class Spared:
    """Who is never a stray, and who may have been re-parented to the manager.

    A spawner that has had molds is what orphans are re-parented to.
    """

    manager: int
    lives: frozenset[int]
    spawners: frozenset[int]
    adopted: frozenset[int]
    molds: frozenset[int] = frozenset()


def look() -> dict[int, Seen]:
    """Return all processes that can be seen."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (seen := look_at(int(name))) is not None:
            found[seen.pid] = seen
    return found


def look_at(pid: int) -> Seen | None:
    """Return one process; None when it has ended."""
    try:
        fd = os.open(
            f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC
        )  # a file object takes as long again, and there are many
        try:
            stat = os.read(fd, 4096)
        finally:
            os.close(fd)
        fields = stat.rpartition(b") ")[2].split(None, 20)  # a name can hold anything, also parentheses
        return Seen(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0].decode())
    except (OSError, IndexError, ValueError):
        return None


def adopted() -> frozenset[int]:
    """Return the children of this process's main thread: those that were re-parented to it are among them.

    Children that another thread waits for are not (proc_tid_children(5)).
    """
    pid = os.getpid()
    with open(f"/proc/self/task/{pid}/children", encoding="ascii") as file:
        return frozenset(int(child) for child in file.read().split())


def user_ids(pid: int) -> frozenset[int]:
    """Return the real, effective, saved and file system user ids of a process; empty when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            line = next((line for line in file if line.startswith("Uid:")), "")
        return frozenset(int(number) for number in line.split()[1:])
    except (OSError, ValueError):
        return frozenset()


def mark_of(fd: int) -> str:
    """Return what /proc shows of a socket or a pipe, the same for all who have it."""
    return os.readlink(f"/proc/self/fd/{fd}")


def holds(pid: int, marks: frozenset[str]) -> bool:
    """Whether a process has one of these open; False where we may not look, or would have to look for too long.

    Only links are read: to ask a file of the tenant's for its inode can take as long as the tenant likes.
    """
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in itertools.islice(entries, _MAXIMUM_LINKS):
            with contextlib.suppress(OSError):
                if os.readlink(entry.path) in marks:
                    return True
    return False


def below(roots: Iterable[int], seen: Mapping[int, Seen]) -> set[int]:
    """Return all descendants of these processes, without themselves."""
    children: dict[int, list[int]] = {}
    for process in seen.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def find_strays(
    ended: Iterable[Ended],
    seen: Mapping[int, Seen],
    spared: Spared,
    user_ids: Callable[[int], frozenset[int]] = user_ids,
    holds: Callable[[int, frozenset[str]], bool] = holds,
) -> set[int]:
    """Return the strays of these lives among the processes seen."""
    lives = list(ended)
    # what spawners and molds have just forked is not known as a life yet, and has no session of its own
    forkers = spared.spawners | spared.molds
    sessions = {seen[pid].session for pid in forkers if pid in seen}
    children = [process for process in seen.values() if process.parent in spared.spawners]
    forking = {process.pid for process in children if process.session in sessions} - {life.pid for life in lives}
    kept = {1, spared.manager, *forkers, *forking, *spared.lives}
    kept |= below(spared.lives | spared.molds | forking, seen)
    orphans = spared.adopted | {process.pid for process in children}
    candidates = [(p, user_ids(p.pid)) for p in seen.values() if p.pid not in kept and p.state not in _GONE]
    found: set[int] = set()
    for life in lives:
        there = seen.get(life.pid)
        its_own = there is None or there.started == life.started  # else a stranger has its number, and a session of it
        under = below([life.pid], seen) if its_own else set()
        for process, users in candidates:
            if life.uid not in users or process.pid in found | {life.pid}:
                continue
            # later lives can have its number, and a session its name: nothing of this life is older than itself
            its = process.started >= life.started and (
                (its_own and process.session == life.pid)
                or process.pid in under
                or (process.pid, process.started) in life.descendants
                or holds(process.pid, life.marks)
            )
            if its or (life.alone and process.started >= life.since and process.pid in orphans):
                found.add(process.pid)
    return found


def kill(stray: Seen) -> None:
    """SIGKILL to this very process, by a pidfd; nothing when it has ended."""
    try:
        pidfd = os.pidfd_open(stray.pid)
    except OSError:
        return
    try:
        now = look_at(stray.pid)
        if now is not None and now.started == stray.started:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
