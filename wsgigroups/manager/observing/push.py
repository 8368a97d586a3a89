"""Tells StatsD and OpenTelemetry what metrics say, each ten seconds, where the configuration names such a service.

The services' libraries are extras of the package, imported when they are wanted. Facts are gathered in the manager's
only thread, group by group; what goes over the network goes in another one: the manager's deadlines wait for neither.
"""

from __future__ import annotations

import asyncio
import importlib
import math
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from wsgigroups.manager.observing import gathering
from wsgigroups.metrics.facts import Facts
from wsgigroups.metrics.points import Growth, Point, points, statsd_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.shell import Shell

PERIOD_S = 10.0
SEND_TIMEOUT_S = 3.0
GROUPS_AT_A_TIME = 20
STATSD, OTLP = "statsd-service", "otlp-service"
_EXTRAS = {STATSD: "statsd", OTLP: "opentelemetry"}


class Pushed(Protocol):
    """A service that is told."""

    def send(self, found: Sequence[Point]) -> None:
        """Tell it; may wait, and raise anything."""

    def close(self) -> None:
        """Let go of it."""


class Statsd:
    """StatsD, by UDP: gauges as they are, counters by how much they have grown."""

    def __init__(self, address: str) -> None:
        """Raises ImportError, OSError."""
        host, _, port = address.rpartition(":")
        client: Any = importlib.import_module("statsd").StatsClient
        self._client = client(host.strip("[]"), int(port), ipv6=host.startswith("["))
        self._growth = Growth()

    def send(self, found: Sequence[Point]) -> None:
        """Send all in as few datagrams as they fit into."""
        with self._client.pipeline() as pipeline:
            for point in found:
                name = statsd_name(point)
                if not point.counts:
                    pipeline.gauge(name, point.value)
                elif grown := self._growth.of(name, point.value):
                    pipeline.incr(name, grown)

    def close(self) -> None:
        """Close its socket."""
        self._client.close()


class Otlp:
    """OpenTelemetry's protocol by HTTP, with its own SDK. Each number is an asynchronous instrument."""

    def __init__(self, url: str) -> None:
        """Raises ImportError."""
        export: Any = importlib.import_module("opentelemetry.sdk.metrics.export")
        metrics: Any = importlib.import_module("opentelemetry.sdk.metrics")
        resources: Any = importlib.import_module("opentelemetry.sdk.resources")
        http: Any = importlib.import_module("opentelemetry.exporter.otlp.proto.http.metric_exporter")
        self._observation: Any = importlib.import_module("opentelemetry.metrics").Observation
        # without a period it has no thread of its own, which would take signals that are the manager's
        self._reader = export.PeriodicExportingMetricReader(
            http.OTLPMetricExporter(endpoint=url, timeout=SEND_TIMEOUT_S), export_interval_millis=math.inf
        )
        about = {"service.name": "wsgigroups", "host.name": socket.gethostname()}
        resource = resources.Resource(about)
        self._provider = metrics.MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self._meter = self._provider.get_meter("wsgigroups")
        self._now: dict[str, list[Point]] = {}
        self._made: set[str] = set()

    def send(self, found: Sequence[Point]) -> None:
        """Send all."""
        self._now = {}
        for point in found:
            self._now.setdefault(point.name, []).append(point)
        for name, first in self._now.items():
            if name not in self._made:
                self._made.add(name)
                make = self._meter.create_observable_counter if first[0].counts else self._meter.create_observable_gauge
                make(name, [self._reads(name)], first[0].unit, first[0].meaning)
        self._reader.collect(timeout_millis=SEND_TIMEOUT_S * 1000)

    def _reads(self, name: str) -> Callable[[Any], list[Any]]:
        return lambda _options: [self._observation(p.value, dict(p.labels)) for p in self._now.get(name, ())]

    def close(self) -> None:
        """Send nothing more."""


_KINDS: dict[str, Callable[[str], Pushed]] = {STATSD: Statsd, OTLP: Otlp}


def _wanted(groups: Mapping[str, GroupState]) -> set[tuple[str, str]]:
    """Return the services that groups name, each by its option."""
    return {
        (option, address)
        for group in groups.values()
        for option in _KINDS
        if (address := group.target.options.get(option, ""))
    }


@dataclass(slots=True)
class Pusher:
    """Of one manager. started_at: monotonic seconds."""

    shell: Shell
    started_at: float
    log: Callable[[str, str], None]
    _services: dict[tuple[str, str], Pushed | None] = field(default_factory=dict)  # None: it cannot be had
    _troubled: set[tuple[str, str]] = field(default_factory=set)
    _latest: Mapping[str, GroupState] = field(default_factory=dict)  # the groups that were there at the last look
    _wanted: set[tuple[str, str]] = field(default_factory=set)  # services that they name, each by its option

    async def watch(self) -> None:
        """Tell for ever."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001 - who is told must not end what runs
                self.log("error", f"services cannot be told of metrics: {error!r}")

    async def round(self) -> None:
        """Tell each service once."""
        groups = self.shell.state.groups
        if groups is not self._latest:
            self._latest, self._wanted = groups, _wanted(groups)
        wanted = self._wanted
        for key in self._services.keys() - wanted:
            service = self._services.pop(key)
            self._troubled.discard(key)
            if service:
                service.close()
        if not wanted:
            return
        found = list(points(await self._facts()))
        await asyncio.gather(*(asyncio.to_thread(self._tell, key, found) for key in sorted(wanted)))

    async def _facts(self) -> Facts:
        shell, groups = self.shell, []
        shell.weighing.ask()
        for number, name in enumerate(sorted(shell.state.groups)):
            if group := shell.state.groups.get(name):
                groups.append(gathering.group_facts(shell, group))
            if number % GROUPS_AT_A_TIME == GROUPS_AT_A_TIME - 1:
                await asyncio.sleep(0)
        return Facts(gathering.manager_facts(shell, self.started_at), tuple(groups))

    def _tell(self, key: tuple[str, str], found: Sequence[Point]) -> None:
        """In another thread. What goes wrong is told once, and once more when it went well in between."""
        option, address = key
        try:
            if key not in self._services:
                self._services[key] = None
                self._services[key] = _KINDS[option](address)
            service = self._services[key]
            if service is None:
                return
            service.send(found)
            self._troubled.discard(key)
        except ImportError as error:
            self.log("warning", f"{option} takes the extra wsgigroups[{_EXTRAS[option]}], which is missing: {error}")
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            if key not in self._troubled:
                self._troubled.add(key)
                self.log("warning", f"{option} {address} cannot be told: {error}")

    def close(self) -> None:
        """Let go of all services."""
        for service in self._services.values():
            if service:
                service.close()
