"""What comes to pass in a change, a line for each fact that was not told yet. Given plain data, and the clock.

A process that came up is told with the one that it follows, one that did not with its number. Who waits is never left
without a line: after a while without news it is told what is waited for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.cli.amounts import counted
from wsgigroups.gateway.shown_addresses import addresses
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wsgigroups.client.answers import ChangeAnswer, ChangedGroupAnswer, StatusAnswer

SILENCE_S = 10.0  # after which it is told what is waited for
_NAMED = 3  # groups that are waited for, by name
_ADDRESSES = 2
_GONE = ("stop", "shutdown")  # kinds of changes that leave no process
_ENDED = ("backoff", "failed")  # states of processes
_OTHERWISE = {"rolled-back": "back to what it was", "overtaken": "overtaken by another change"}
_NOT_UP = ("starting", *_ENDED)


@dataclass(slots=True)
class _Life:
    slot: int
    pid: int | None
    told: bool = False  # that it came up: before the change, or in it
    over: bool = False
    asked_to_go: bool = False


@dataclass(slots=True)
class _Told:
    """What is known of one group."""

    lives: dict[int, _Life] = field(default_factory=dict)
    watched: bool = False
    ended: bool = False
    begun: bool = False


class ChangeNews:
    """Of one change. look: asks where groups answer; timed: it began just now, so that it is told how long it took."""

    def __init__(
        self, look: Callable[[], StatusAnswer], *, timed: bool = True, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._timed = timed
        self._now = now
        self._status: StatusAnswer | None = None
        self._began = self._told_at = now()
        self._groups: dict[str, _Told] = {}

    def lines(self, change: ChangeAnswer) -> Iterator[str]:
        """Yield what is new, processes too; where nothing was for a while, what is waited for."""
        found = [line for name, group in sorted(change["groups"].items()) for line in self._of(change, name, group)]
        if not found and self._now() - self._told_at >= SILENCE_S:
            found = [self._at(line) for line in waited_for(change)]
        yield from self._telling(found)

    def outcomes(self, change: ChangeAnswer) -> Iterator[str]:
        """Yield which groups are through."""
        groups = sorted(change["groups"].items())
        yield from self._telling([line for name, group in groups for line in self._outcome(change, name, group)])

    def _telling(self, lines: list[str]) -> Iterator[str]:
        if lines:
            self._told_at = self._now()
        return iter(lines)

    def _of(self, change: ChangeAnswer, name: str, group: ChangedGroupAnswer) -> Iterator[str]:
        told = self._groups.setdefault(name, _Told())
        shown = clean(name)
        found = list(_processes(told, group, change.get("first_life", 0)))
        if not told.begun:
            told.begun = True
            work = _begins(told, group)
            if work and group["state"] == "pending":
                yield self._at(f"{shown}: {work}")
        for line in found:
            yield self._at(f"{shown}/{line}")
        if group.get("watched_s") and not told.watched:
            told.watched = True
            yield self._at(f"{shown}: what is new is watched for {group['watched_s']:g} s")
        yield from self._outcome(change, name, group)

    def _outcome(self, change: ChangeAnswer, name: str, group: ChangedGroupAnswer) -> Iterator[str]:
        told = self._groups.setdefault(name, _Told())
        if group["state"] == "pending" or told.ended:
            return
        told.ended = True
        if group["state"] == "done":
            yield self._done(change, name, group)
        else:
            yield self._at(f"{clean(name)}: {_OTHERWISE.get(group['state'], group['state'])}")

    def _done(self, change: ChangeAnswer, name: str, group: ChangedGroupAnswer) -> str:
        """Return `✓ shop ready 3/3 in 0.7 s · revision 13 · http://127.0.0.1:8000`."""
        took = f" in {self._now() - self._began:.1f} s" if self._timed else ""
        if not group["wanted"] or change["kind"] in _GONE:
            return f"✓ {clean(name)} stopped{took}"
        parts = [f"✓ {clean(name)} ready {group['ready']}/{group['wanted']}{took}"]
        if change.get("revision"):
            parts.append(f"revision {change['revision']}")
        return " · ".join([*parts, *self._addresses(name)[:_ADDRESSES]])

    def _addresses(self, name: str) -> list[str]:
        """Where the group answers; of one that the change has added, the status has to be asked for again."""
        for status in (self._status, None):
            if status is None:
                status = self._status = self._look()  # noqa: PLW2901
            for group in status["groups"]:
                if group["name"] == name:
                    return [clean(address) for address in addresses(group, status.get("gateway"))]
        return []

    def _at(self, text: str) -> str:
        return f"[{self._now() - self._began:.1f}s] {text}"


def _processes(told: _Told, group: ChangedGroupAnswer, first_life: int) -> Iterator[str]:
    """Yield `1 3543 → 3637`, `3 started (pid 3634)`, `3 stopped (pid 3634)`, `1 failed to start (pid 3637)`.

    One that a change has stopped before it was ready has not failed.

    first_life: of the change; earlier lives are not its doing. 0: not known, so what is up at first was there before.
    """
    present = set()
    for process in sorted(group["processes"], key=lambda item: (item["slot"], item["life"])):
        number, state = process["life"], process["state"]
        present.add(number)
        life = told.lives.get(number)
        if life is None:
            former = number < first_life or (not first_life and not told.begun)
            life = told.lives[number] = _Life(process["slot"], process["pid"])
            life.told, life.over = former and state not in _NOT_UP, former and state in _ENDED
        life.pid = process["pid"] or life.pid
        life.asked_to_go = life.asked_to_go or state == "draining"
        if state == "ready" and not life.told:
            life.told = True
            yield _came(told, number, life)
        elif state in _ENDED and not life.over:
            life.over = True
            yield f"{life.slot} {'ended' if life.told else 'failed to start'}{_pid(life)}"
    for number, life in told.lives.items():
        if number in present or life.over:
            continue
        life.over = True
        followed = any(other.slot == life.slot and later > number for later, other in told.lives.items())
        if not life.told:
            how = "stopped before it was ready" if life.asked_to_go else "failed to start"
            yield f"{life.slot} {how}{_pid(life)}"
        elif not followed:
            yield f"{life.slot} stopped{_pid(life)}"


def _came(told: _Told, number: int, life: _Life) -> str:
    before = [
        other
        for earlier, other in sorted(told.lives.items())
        if other.slot == life.slot and earlier < number and other.told and other.pid
    ]
    return f"{life.slot} {before[-1].pid} → {life.pid}" if before else f"{life.slot} started{_pid(life)}"


def waited_for(change: ChangeAnswer) -> Iterator[str]:
    """Yield what the change waits for, a line for each of the first groups."""
    pending = [(name, group) for name, group in sorted(change["groups"].items()) if group["state"] == "pending"]
    for name, group in pending[:_NAMED]:
        parts = []
        if group["ready"] < group["wanted"]:
            parts.append(f"{group['ready']} of {counted(group['wanted'], 'process', 'processes')} ready")
        if group["leaving"]:
            parts.append(f"{counted(group['leaving'], 'old process', 'old processes')} still there")
        yield f"{clean(name)}: waiting, {', '.join(parts) or 'nothing is reported yet'}"
    if len(pending) > _NAMED:
        yield f"and {counted(len(pending) - _NAMED, 'more group')}"


def _begins(told: _Told, group: ChangedGroupAnswer) -> str:
    """What is going to happen, as far as it shows at first; "" for nothing."""
    former = sum(life.told for life in told.lives.values())
    wanted = group["wanted"]
    counts = (
        (min(group["leaving"], former, wanted), "replacing"),
        (max(0, wanted - former), "starting"),
        (max(0, former - wanted), "stopping"),
    )
    present = [(number, what) for number, what in counts if number]
    return ", ".join(
        f"{what} {number if at else counted(number, 'process', 'processes')}"
        for at, (number, what) in enumerate(present)
    )


def _pid(life: _Life) -> str:
    return f" (pid {life.pid})" if life.pid else ""
