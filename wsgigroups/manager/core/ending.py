"""The end of everything: when it is asked for, put off by drain-delay, and begun. Pure; called by the core.

While it is put off all goes on as it was: connections are taken, what dies is followed. Only answers say that their
clients are to connect anew, which whoever sends them here has been told to do elsewhere. Then the gateway leaves before
the groups that it asks, since it has requests for them until it has gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.lifecycle import step as lifecycle
from wsgigroups.lifecycle.table import EventKind, Tenancy
from wsgigroups.manager.core import model, steps
from wsgigroups.manager.core.model import Progress
from wsgigroups.plan.routing import GATEWAY, is_link
from wsgigroups.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsgigroups.manager.core.turn import Turn


def shutdown(turn: Turn, event: model.Shutdown) -> tuple[str, ...]:
    """Somebody asked for the end; return the groups to reconcile."""
    names = tuple(sorted(turn.state.groups))
    turn.begin_change("shutdown", {name: Progress(goal="gone") for name in names})
    if names and event.delay_s > 0 and not event.now and not turn.state.draining:
        until = turn.now + event.delay_s
        if turn.state.drains_at is None:
            turn.commands.append(model.PartFromClients(serving(turn.state.groups)))
        else:
            until = min(until, turn.state.drains_at)
        turn.state = replace(turn.state, stopping=True, drains_at=until)
        return names
    turn.state = replace(turn.state, stopping=True, drains_at=None)
    if event.now:
        _leave(turn, names)
        for name in names:
            _end_at_once(turn, name)
        return names
    return go_on(turn)


def due(turn: Turn) -> tuple[str, ...]:
    """Begin the end when drain-delay is over; return the groups to reconcile."""
    at = turn.state.drains_at
    if at is None or turn.now < at:
        return ()
    turn.state = replace(turn.state, drains_at=None)
    return go_on(turn)


def go_on(turn: Turn) -> tuple[str, ...]:
    """Have those leave whose time it is; return them, to be reconciled."""
    if not turn.state.draining:
        return ()
    names = tuple(name for name in _first(turn.state.groups) if not turn.state.groups[name].removing)
    _leave(turn, names)
    return names


def became_ready(turn: Turn, life: int) -> None:
    """A process that comes up while the end is put off does as the others."""
    if turn.state.drains_at is not None:
        turn.commands.append(model.PartFromClients((life,)))


def _first(groups: Mapping[str, model.GroupState]) -> list[str]:
    """The groups that nobody who is there still has requests for."""
    gateway = groups.get(GATEWAY)
    routing = gateway.target.routing if gateway else None
    if routing is None:
        return sorted(groups)
    return sorted(
        name
        for name, group in groups.items()
        if not any(is_link(listener.address, routing.root) for listener in group.target.listeners)
    )


def serving(groups: Mapping[str, model.GroupState]) -> tuple[int, ...]:
    """Return the lives that are ready."""
    return tuple(r.life for group in groups.values() for r in group.records if r.state is Tenancy.READY)


def _leave(turn: Turn, names: Iterable[str]) -> None:
    for name in names:
        turn.put(replace(turn.state.groups[name], removing=True))


def _end_at_once(turn: Turn, name: str) -> None:
    for record in turn.state.groups[name].records:
        if record.state is not Tenancy.DRAINING:
            steps.step(turn, record, lifecycle.Event(EventKind.WANT_DOWN, reason="shutdown"))
    for record in [r for r in turn.state.groups[name].records if r.state is Tenancy.DRAINING]:
        steps.step(turn, record, lifecycle.Event(EventKind.OVERDUE))
