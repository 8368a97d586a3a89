"""What gateways are told beside their routes as time goes by: which groups are stopped, and keys of TLS tickets.

Runs in the manager's only thread. Clients of a stopped group are answered at once and not after connect-timeout; one
that only restarts, or fails, is never among them: somebody will come. Keys are this manager's, and nowhere stored: who
has them can read what was sent in a session of TLS 1.2 that was taken up by them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import routing
from wsgigroups.plan.routing import GATEWAY, is_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wsgigroups.manager.supervision.logs import Logs
    from wsgigroups.manager.supervision.processes import Process

TICKET_KEYS_S = 43200.0  # a ticket is good for two hours; with other keys it is a whole handshake again
# Of all that happens to ten thousand lives, only these change how many processes a group is to have.
_ORDERS = (
    *(model.Apply, model.Recovered, model.Rerouted, model.Resolved),
    *(model.Return, model.Scale, model.Start, model.Stop),
)


def may_stop(event: model.Event, commands: Iterable[model.Command]) -> bool:
    """Whether a group may be stopped, or started, by what has happened. Others are seen at the next regular look."""
    return isinstance(event, _ORDERS) or any(isinstance(item, model.FinishChange) for item in commands)


def stopped_groups(groups: Mapping[str, model.GroupState], root: str) -> frozenset[str]:
    """Return the groups that a gateway with this root asks, and that are to have no process."""
    return frozenset(
        name
        for name, group in groups.items()
        if group.shut and not group.removing and any(is_link(item.address, root) for item in group.target.listeners)
    )


@dataclass(slots=True)
class BesideRoutes:
    """What gateways know."""

    published: routing.Published
    processes: Mapping[int, Process]  # by life; the shell's own
    logs: Logs
    log: Callable[[str, str], None]
    clock: Callable[[], float] = time.monotonic
    _keys_until: float = field(init=False)

    def __post_init__(self) -> None:
        self._keys_until = self.clock() + TICKET_KEYS_S

    def look(self, state: model.State) -> None:
        """Tell the gateway's processes, where it is not what they know; what is on its way up is told at its start."""
        gateway = state.groups.get(GATEWAY)
        if gateway is None or gateway.target.routing is None or state.draining:
            return
        stopped = stopped_groups(state.groups, gateway.target.routing.root)
        worn = self.clock() >= self._keys_until
        if worn:
            self.published.ticket_keys = routing.new_ticket_keys()
            self._keys_until = self.clock() + TICKET_KEYS_S
        if stopped == self.published.stopped and not (worn and gateway.target.routing.certificates):
            return
        self.published.stopped = stopped
        for record in gateway.records:
            process = self.processes.get(record.life) if record.live else None
            why = routing.tell(process, gateway.target, self.logs, self.published) if process else ""
            if why:
                self.log(
                    "warning",
                    f"{GATEWAY}/{record.slot}: it goes by what it knew of stopped groups and TLS tickets: {why}",
                )
