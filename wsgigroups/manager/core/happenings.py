"""What is worth remembering of one turn of the core: `events` shows it, long after the state has forgotten it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wsgigroups.lifecycle.step import Record

Kind = Literal[
    "started", "ready", "refused", "judged", "worn", "slow", "died", "ended",
    "group-added", "group-removed", "change-begun", "change-ended", "rolled-back", "failed", "proved", "scaled",
    "manager-started", "manager-ended", "adopted",
    "certificate-made", "certificate-failed",
    "audit",
]  # fmt: skip
AUDIT: Kind = "audit"  # somebody commanded something, or was refused it
NAMED = 5  # groups of a change, the rest is a number
KEPT_TEXT = 500  # characters


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. What does not concern a group, a process or a change is None there."""

    kind: Kind
    text: str = ""
    group: str | None = None
    slot: int | None = None
    life: int | None = None
    pid: int | None = None
    change: int | None = None


def happened(
    before: model.State, event: model.Event, after: model.State, commands: Iterable[model.Command]
) -> tuple[Happening, ...]:
    """Return what one event came to, in order: of a process, of its group, of changes."""
    life = getattr(event, "life", 0)
    found = before.find(life) if life else None
    of_a_life = list(_of_life(*found, event, after)) if found else []
    touched = (found[0].target.name,) if found else tuple(after.groups)
    return (
        *_begun(before, event, after),
        *_scaled(before, event, after),
        *of_a_life,
        *(_of_parts(before, after, touched) if after.changes is not before.changes else ()),
        *_of_groups(before, after, touched if after.groups is not before.groups else ()),
        *_of_commands(commands),
    )


def of_record(kind: Kind, record: Record, text: str = "", pid: int | None = None) -> Happening:
    """Return what happened to the life of a record."""
    return Happening(kind, text[:KEPT_TEXT], record.group, record.slot, record.life, pid or record.pid)


def _of_life(group: model.GroupState, record: Record, event: model.Event, after: model.State) -> Iterator[Happening]:
    match event:
        case model.LifeSpawned():
            yield of_record("started", record, pid=event.pid)
        case model.LifeBecameReady() if record.state is Tenancy.STARTING:
            yield of_record("ready", record)
        case model.LifeRefused():
            yield of_record("refused", record, event.reason)
        case model.LifeStalled() | model.LifeOverdue():
            yield of_record("judged", record, f"{event.reason}, {event.detail}" if event.detail else event.reason)
        case model.LifeWorn() | model.ScriptChanged():
            later = after.groups.get(group.target.name)
            if later and record.life in later.recycle and record.life not in group.recycle:
                yield of_record("worn", record, later.recycle[record.life])
        case model.LifeExited():
            yield _exited(group, record, event, after)


def _exited(group: model.GroupState, record: Record, event: model.LifeExited, after: model.State) -> Happening:
    asked = record.life in group.recycle or record.state in (Tenancy.DRAINING, Tenancy.KILLING)
    if asked:
        return of_record("ended", record, f"{record.reason}: {event.exit}" if record.reason else str(event.exit))
    later = after.groups.get(group.target.name)
    cause = later.death_of(record) if later else None
    how = str(event.exit)
    said = cause.message if cause else how
    return of_record("died", record, said if how in said else f"{said} ({how})")


def _begun(before: model.State, event: model.Event, after: model.State) -> Iterator[Happening]:
    if after.next_change == before.next_change:
        return
    for change in after.changes.values():
        if change.id < before.next_change:
            continue
        revision = f" of revision {change.revision}" if change.revision is not None else ""
        yield Happening(
            "change-begun", f"{change.kind}{revision}: {_named(change, event)}"[:KEPT_TEXT], change=change.id
        )


def _scaled(before: model.State, event: model.Event, after: model.State) -> Iterator[Happening]:
    """The load has asked for another number of processes; by hand it is a change."""
    if isinstance(event, model.Scaled) and event.group in after.groups:
        was, wanted = before.groups[event.group].wanted, after.groups[event.group].wanted
        if was != wanted:
            yield Happening("scaled", f"{was} → {wanted} processes: {event.reason}"[:KEPT_TEXT], event.group)


def _named(change: model.Change, event: model.Event) -> str:
    names = sorted(change.groups)
    numbers = event.processes if isinstance(event, model.Scale) else {}
    some = ", ".join(f"{name}={numbers[name]}" if name in numbers else name for name in names[:NAMED])
    more = len(names) - NAMED
    return (f"{some} and {more} more" if more > 0 else some) or "no group"


def _of_parts(before: model.State, after: model.State, names: Iterable[str]) -> Iterator[Happening]:
    """Parts of changes that did not come to what was asked for."""
    for change in after.changes.values():
        former = before.changes.get(change.id)
        if former is change:
            continue
        for name in names:
            part = change.groups.get(name)
            was = former.groups.get(name) if former else None
            if part is None or (was is not None and was.state == part.state):
                continue
            if part.state in ("failed", "rolled-back"):
                text = part.error.message if part.error else ""
                kind: Kind = "failed" if part.state == "failed" else "rolled-back"
                yield Happening(kind, text[:KEPT_TEXT], name, change=change.id)


def _of_groups(before: model.State, after: model.State, names: Iterable[str]) -> Iterator[Happening]:
    for name in names:
        group, former = after.groups.get(name), before.groups.get(name)
        if group is None or group is former:
            continue
        if former is None:
            yield Happening("group-added", group=name)
        elif former.fallback is not None and not group.unproved and group.target == former.target:
            yield Happening("proved", "its new processes have lasted", name)


def _of_commands(commands: Iterable[model.Command]) -> Iterator[Happening]:
    for command in commands:
        match command:
            case model.ReleaseGroup(group):
                yield Happening("group-removed", group=group)
            case model.FinishChange(change):
                yield Happening("change-ended", f"{change.kind}: {change.outcome}", change=change.id)
