"""How long each party waits, in a request and in a stop: everyone longer than whoever it waits for. Pure.

So whoever knows most ends what takes too long: the manager a request, whose stacks it logs, before a front gives it up;
a process its requests, before the manager kills it; the manager its processes, before systemd or a container kills all.
Seconds; None where nothing is limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.config import Configuration, Group
    from wsgigroups.config.models.server import ServerDefaults

MARGIN_S = (
    2.0  # by which each waits longer: the manager looks each quarter of a second, and a process takes time to end
)
_STUCK_S = 5.0  # after which a stuck process is killed where shutdown-timeout sets no limit
_START_S, _STOP_S = 90.0, 60.0  # of the unit, at least
_UNLIMITED_S = 864000.0  # what 0 is for a front, which has no word for it


@dataclass(frozen=True, slots=True)
class RequestDeadlines:
    """Of a request to one group, from the inside out.

    application_s: from the call until the manager has killed a process whose request does not end; answer_s: the same
    with the time in the queue; front_s: what a front waits for the group, each time it sends nothing; client_s: what a
    front waits for the client; front_stop_s: what a front that stops leaves to the requests that it has.
    """

    application_s: float | None
    answer_s: float | None
    connect_s: float
    front_s: float
    client_s: float
    front_stop_s: float


@dataclass(frozen=True, slots=True)
class StopDeadlines:
    """Of a stop of the manager, from the inside out.

    requests_s: what processes leave to their requests, the longest of all groups; manager_s: until the manager has
    ended; service_s: until systemd, or who runs a container, kills what is left.
    """

    requests_s: float | None
    manager_s: float | None
    service_s: float


def request_deadlines(group: Group, server: ServerDefaults) -> RequestDeadlines:
    """Return the deadlines of a group behind a front."""
    application = _application_s(group)
    answer = None if application is None else group.queue_timeout + application
    front = socket_timeout_s(group, server) or _UNLIMITED_S
    if answer is not None:
        front = max(front, answer + MARGIN_S)
    connect = group.connect_timeout or _UNLIMITED_S
    client = connect + front + MARGIN_S
    return RequestDeadlines(application, answer, connect, front, client, client + MARGIN_S)


def stop_deadlines(configuration: Configuration) -> StopDeadlines:
    """Return the deadlines of a stop. Everything that a manager waits for when it stops is added here."""
    limits = [group.shutdown_timeout for group in configuration.all_groups().values()]
    served = any(site.listen for site in configuration.sites.values())
    gateway_s = configuration.gateway.shutdown_timeout if served else 0.0
    if 0.0 in limits or (served and not gateway_s):
        return StopDeadlines(None, None, _STOP_S)  # it asks systemd for more time as long as it needs some
    requests = max(limits, default=0.0)
    manager = gateway_s + requests + MARGIN_S
    return StopDeadlines(requests, manager, max(_STOP_S, manager + MARGIN_S))


def start_s(configuration: Configuration) -> float:
    """Return how long the unit may take to start: longer than any process may."""
    return max([_START_S, *(group.startup_timeout + MARGIN_S for group in configuration.all_groups().values())])


def longest(deadlines: Iterable[RequestDeadlines]) -> RequestDeadlines | None:
    """Return the deadlines of the group that takes longest, for what a front has but one of; None for no group."""
    return max(deadlines, key=lambda item: item.client_s, default=None)


def socket_timeout_s(group: Group, server: ServerDefaults) -> float:
    """Return the socket-timeout of a group, or that of [server]."""
    return group.socket_timeout if group.is_set("socket_timeout") else server.timeout


def text_s(value: float) -> str:
    """Return a time as nginx, HAProxy, Caddy and systemd read it; never shorter."""
    milliseconds = -int(-value * 1000 // 1)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _application_s(group: Group) -> float | None:
    if not group.request_timeout:
        return None
    # one stuck request alone raises the average of all threads that slowly
    factor = 1 if group.request_timeout_mode == "each" else group.threads
    ending = group.graceful_timeout + (group.shutdown_timeout or _STUCK_S)
    # a process with a thread left serves on until its successor has started
    return group.request_timeout * factor + group.interrupt_timeout + group.startup_timeout + ending
