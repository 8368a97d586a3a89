"""What each route does. Thin: asks the manager, returns a document. What arrives here fits its type (requests.py).

Runs in the manager's only thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wsgigroups.config import Configuration
from wsgigroups.config.only import merged
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager import deploying
from wsgigroups.manager.control import (
    showing_deaths,
    showing_events,
    showing_groups,
    showing_logs,
    showing_revisions,
    views,
)
from wsgigroups.manager.control.closer_documents import (  # a test reads them in the signatures
    AddressesDocument,
    ConfigurationDocument,
    DashboardDocument,
    DifferenceDocument,
    GroupDetailsDocument,
    LogDocument,
)
from wsgigroups.manager.control.documents import (
    BegunDocument,
    ChangeDocument,
    DeathsDocument,
    EventsDocument,
    HistoryDocument,
    PlanDocument,
    RevisionDocument,
    RolledBackDocument,
    StatusDocument,
    UpgradeDocument,
)
from wsgigroups.manager.control.requests import (
    ApplyBody,
    ChangePath,
    ChangeQuery,
    ConfigurationBody,
    DashboardBody,
    DeathsQuery,
    DeployBody,
    EventsQuery,
    GroupPath,
    GroupsBody,
    LogQuery,
    NoParameters,
    Parameters,
    PauseBody,
    ReopenBody,
    RestartBody,
    RevisionPath,
    RollbackBody,
    ScaleBody,
    ShutdownBody,
    UpgradeBody,
)
from wsgigroups.manager.control.showing_sites import ShownSites
from wsgigroups.manager.core import handling, model
from wsgigroups.manager.queueing import Asked, News
from wsgigroups.metrics.exposition import OPENMETRICS, TEXT, wants_openmetrics
from wsgigroups.plan.precondition import Precondition
from wsgigroups.targets.counting import counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.death_store import DeathStore
    from wsgigroups.manager.journal import Journal
    from wsgigroups.manager.observing.application_metrics import ApplicationMetrics
    from wsgigroups.manager.observing.scraping import Scrapes
    from wsgigroups.manager.upgrade.upgrading import Upgrading
    from wsgigroups.trust.peers import Peer

TOGETHER_S = 0.0003  # for each group of a change, between two looks at it: more than a look takes
_NOTHING: Any = NoParameters()
P = TypeVar("P", bound=Parameters)
Q = TypeVar("Q", bound=Parameters)
B = TypeVar("B", bound=Parameters)


@dataclass(frozen=True)
class Call(Generic[P, Q, B]):
    """One request, read: path, query and body as the route's types."""

    peer: Peer
    path: P = _NOTHING
    query: Q = _NOTHING
    body: B = _NOTHING
    left: Callable[[], bool] = lambda: False  # whether the caller has gone meanwhile
    administers: bool = False
    groups: frozenset[str] | None = None  # those that an operator's call may be about; None: all

    def check(self, names: Iterable[str]) -> None:
        """Raise WsgigroupsError (5) for a group that the call may not be about."""
        strange = () if self.groups is None else sorted(set(names) - self.groups)
        for name in strange:
            raise WsgigroupsError(
                f"cannot use group {name!r}: uid {self.peer.uid} is no operator of it",
                hint=f"`operators` names yours: {', '.join(sorted(self.groups or ()))}",
                exit_code=ExitCode.NOT_PERMITTED,
            )

    def sees(self, name: str) -> bool:
        """Whether the caller may be told of a group."""
        return self.groups is None or name in self.groups


Plain = Call[NoParameters, NoParameters, NoParameters]
OfGroups = Call[NoParameters, NoParameters, GroupsBody]
OfProcesses = Call[NoParameters, NoParameters, RestartBody]
OfConfiguration = Call[NoParameters, NoParameters, ConfigurationBody]


@dataclass(slots=True)
class Configurations:
    """Reads documents; what was planned is not read again to be applied."""

    _last: tuple[dict[str, Any], Configuration] | None = None

    def read(self, document: dict[str, Any]) -> Configuration:
        """Return the configuration. Raises WsgigroupsError."""
        last = self._last
        if last is None or last[0] != document:
            last = self._last = document, Configuration.from_document(document)
        return last[1]


@dataclass(frozen=True, slots=True)
class Handlers:
    """The routes' methods."""

    applying: Applying
    journal: Journal
    deaths: DeathStore
    started_at: float
    end: Callable[[], None]
    upgrading: Upgrading
    scrapes: Scrapes
    counting: ApplicationMetrics
    configurations: Configurations = field(default_factory=Configurations)
    sites: ShownSites = field(default_factory=ShownSites)

    async def status(self, call: Plain) -> StatusDocument:
        files = self.applying.owners.of(self.applying.shell.state.revision).groups
        found = views.status(self.applying.shell, self.started_at, self.sites, files)
        if call.groups is not None:
            own = [group for group in found.groups if call.sees(group.name)]
            return found.model_copy(update={"groups": own, "gateway": None})
        found = found.model_copy(update={"rolled_back": self._rolled_back(found.revision)})
        if found.gateway is None:
            return found
        gateway = found.gateway.model_copy(update={"orders": self.applying.orders.shown()})
        return found.model_copy(update={"gateway": gateway})

    async def addresses(self, _call: Plain) -> AddressesDocument:
        """Far less than the status: commands ask before each apply."""
        targets = [group.target for group in self.applying.shell.state.groups.values()]
        found = {address for target in targets for address in target.spec.listen}
        found |= {listener.address for target in targets for listener in target.listeners}
        return AddressesDocument(addresses=sorted(found))

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the text of all metrics and its type."""
        openmetrics = wants_openmetrics(accept)
        return await self.scrapes.text(openmetrics=openmetrics), OPENMETRICS if openmetrics else TEXT

    async def metrics_of_group(self, _accept: str, group: str) -> tuple[bytes, str]:
        """Return the text of what a group's processes count themselves. Raises WsgigroupsError."""
        shell = self.applying.shell
        handling.check_groups(shell.state, (group,))
        if not counts(shell.state.groups[group].target, shell.outside.run_dir):
            raise WsgigroupsError(
                f"cannot tell what group {group!r} counts: it does not set application-metrics",
                exit_code=ExitCode.USAGE,
            )
        return (await asyncio.to_thread(self.counting.text, group)).encode("utf-8", "replace"), TEXT

    def _rolled_back(self, running: int) -> RolledBackDocument | None:
        newest = self.applying.store.newest()
        if newest is None or newest["outcome"] != "rolled-back" or newest["revision"] == running:
            return None
        return RolledBackDocument(revision=newest["revision"], ended_at=newest.get("ended_at"))

    async def history(self, _call: Plain) -> HistoryDocument:
        running = self.applying.shell.state.revision
        rows = [{**row, "running": row["revision"] == running} for row in self.applying.store.history()]
        return HistoryDocument(revisions=[RevisionDocument.model_validate(row) for row in rows])

    async def group(self, call: Call[GroupPath, NoParameters, NoParameters]) -> GroupDetailsDocument:
        call.check((call.path.name,))
        handling.check_groups(self.applying.shell.state, (call.path.name,))
        return showing_groups.document(self.applying.shell, call.path.name)

    async def log(self, call: Call[GroupPath, LogQuery, NoParameters]) -> LogDocument:
        name, groups = call.path.name, self.applying.shell.state.groups
        call.check((name,))
        handling.check_groups(self.applying.shell.state, (name,))
        path = groups[name].target.log_path
        call.check(other for other, group in groups.items() if group.target.log_path == path)
        return await asyncio.to_thread(showing_logs.document, path, call.query.after)

    async def difference(self, call: Call[RevisionPath, NoParameters, NoParameters]) -> DifferenceDocument:
        store, number = self.applying.store, call.path.revision
        # a thousand groups are a megabyte of text for each: read aside
        return await asyncio.to_thread(showing_revisions.document, store, number, self.applying.shell.state.revision)

    async def configuration(self, _call: Plain) -> ConfigurationDocument:
        store, number = self.applying.store, self.applying.shell.state.revision
        if not number:
            raise WsgigroupsError("cannot show a configuration: none was applied yet")
        return ConfigurationDocument(revision=number, configuration=await asyncio.to_thread(store.document, number))

    async def events(self, call: Call[NoParameters, EventsQuery, NoParameters]) -> EventsDocument:
        until = asyncio.get_running_loop().time() + call.query.wait_s
        if call.query.group:
            call.check((call.query.group,))
        show = partial(showing_events.document, self.journal, call.query, call.groups, audit=call.administers)
        document = show()
        while not document.events and not call.left():
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            try:
                await asyncio.wait_for(self.applying.shell.changed.wait(), left_s)
            except asyncio.TimeoutError:
                break
            if self.journal.last != document.last:
                document = show()
        return document

    async def deaths_of(self, call: Call[NoParameters, DeathsQuery, NoParameters]) -> DeathsDocument:
        query = call.query
        if query.group:
            call.check((query.group,))
        if query.group and not self.deaths.chosen(query.group, limit=1):
            handling.check_groups(self.applying.shell.state, (query.group,))
        if query.group or call.groups is None:
            found = self.deaths.chosen(query.group, query.slot, query.limit)
        else:
            of_each = [self.deaths.chosen(name, query.slot, query.limit) for name in sorted(call.groups)]
            found = sorted(itertools.chain(*of_each), key=lambda death: death.at)[-query.limit :] if query.limit else []
        # logs are their owners' to read: whoever may read the status sees no line of them
        return showing_deaths.document(found, logs=call.administers or call.groups is not None)

    async def change(self, call: Call[ChangePath, ChangeQuery, NoParameters]) -> ChangeDocument:
        view = self._change(call.path.id)
        until = asyncio.get_running_loop().time() + call.query.wait_s
        # answers when the change moves: the caller says what it has seen, so that nothing between calls is missed
        while not view.finished and view.seen == call.query.seen and not call.left():
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            try:
                await asyncio.wait_for(self.applying.shell.changed.wait(), left_s)
            except asyncio.TimeoutError:
                break
            if not self._finished(call.path.id):  # what happens to many groups at once is told together
                await asyncio.sleep(min(left_s, TOGETHER_S * len(view.groups)))
            view = self._change(call.path.id)
        own = {name: group for name, group in view.groups.items() if call.sees(name)}
        if call.groups is not None and not own:
            raise _unknown(call.path.id)
        return view.model_copy(update={"groups": own})

    async def plan(self, call: OfConfiguration) -> PlanDocument:
        only, who = call.body.only, (call.peer.uid, call.peer.pid)
        found = await self.applying.plan(self._read(call.body), None if only is None else tuple(only), who)
        return PlanDocument.model_validate(found)

    async def apply(self, call: Call[NoParameters, NoParameters, ApplyBody]) -> BegunDocument:
        given = call.body.precondition
        expected = Precondition(given.revision, given.observed, given.desired, given.keyed) if given else None
        news: list[News] = []
        asked = replace(
            self._asked(call, "apply", f"uid {call.peer.uid}"),
            precondition=expected,
            shown=call.body.shown,
            agrees=call.body.agrees,
            only=None if call.body.only is None else tuple(call.body.only),
            told=news.append,
        )
        if asked.only is not None and asked.overtake:
            raise WsgigroupsError(
                "cannot overtake: what is under way may be about other files",
                hint="wait until it ends, or apply all files together",
                exit_code=ExitCode.USAGE,
            )
        begun = self._begun(await self.applying.apply(self._read(call.body), asked))
        if not news:
            return begun
        plan = PlanDocument.model_validate(news[-1].plan.to_json())
        return begun.model_copy(update={"moved": list(news[-1].moved), "plan": plan})

    def _read(self, body: ConfigurationBody) -> Callable[[], Configuration]:
        """What reads the configuration that is asked for, in another thread and when it is its turn."""

        def read() -> Configuration:
            if body.only is None:
                return self.configurations.read(body.configuration)
            number = self.applying.shell.state.revision
            running = self.applying.store.document(number) if number else {"version": 1}
            return self.configurations.read(merged(running, body.configuration, body.only))

        return read

    async def rollback(self, call: Call[NoParameters, NoParameters, RollbackBody]) -> BegunDocument:
        if call.body.change is not None:
            return self._begun(self.applying.give_up(call.body.change))
        asked = self._asked(call, "rollback", f"uid {call.peer.uid}, rollback")
        return self._begun(await self.applying.rollback(call.body.revision, asked))

    async def pause(self, call: Call[NoParameters, NoParameters, PauseBody]) -> BegunDocument:
        return self._begun(self.applying.pause(call.body.change, paused=True))

    async def resume(self, call: Call[NoParameters, NoParameters, PauseBody]) -> BegunDocument:
        return self._begun(self.applying.pause(call.body.change, paused=False))

    async def deploy(self, call: Call[NoParameters, NoParameters, DeployBody]) -> BegunDocument:
        call.check((call.body.group,))
        if call.body.overtake and call.groups is not None:
            raise WsgigroupsError(
                "cannot overtake an apply: that is for whoever may apply",
                hint="leave --overtake out: this waits for its end",
                exit_code=ExitCode.NOT_PERMITTED,
            )
        what = " ".join(filter(None, ("deploy", call.body.group, call.body.release)))
        asked = self._asked(call, "deploy", f"uid {call.peer.uid}, {what}")
        return self._begun(await deploying.deploy(self.applying, call.body.group, call.body.release, asked))

    def _asked(self, call: Call[Any, Any, Any], kind: str, by: str) -> Asked:
        body, peer = call.body, call.peer
        return Asked(kind, by, peer.uid, peer.pid, body.command, body.wait_s, body.overtake, left=call.left)

    async def start(self, call: OfGroups) -> BegunDocument:
        groups = self._startable(call)
        return self._act(model.Start(groups, code=await self._code(groups)))

    async def stop(self, call: OfGroups) -> BegunDocument:
        return self._act(model.Stop(self._groups(call)))

    async def restart(self, call: OfProcesses) -> BegunDocument:
        groups = self._startable(call)
        code = await self._code(groups)
        return self._act(model.Restart(groups, code=code, slots=self._slots(call)))

    async def reload(self, call: OfProcesses) -> BegunDocument:
        groups = self._startable(call)
        code = await self._code(groups)
        return self._act(model.Reload(groups, code=code, slots=self._slots(call)))

    async def scale(self, call: Call[NoParameters, NoParameters, ScaleBody]) -> BegunDocument:
        handling.check_startable(self.applying.shell.state, call.body.processes)
        self.applying.listen_again(call.body.processes)
        return self._act(model.Scale(call.body.processes))

    async def reopen(self, _call: Call[NoParameters, NoParameters, ReopenBody]) -> BegunDocument:
        self.applying.shell.reopen_logs()
        return BegunDocument(change=None, revision=self.applying.shell.state.revision)

    async def shutdown(self, call: Call[NoParameters, NoParameters, ShutdownBody]) -> BegunDocument:
        answer = self._act(model.Shutdown(call.body.now, self.applying.own.drain_delay_s))
        self.end()
        return answer

    async def dashboard(self, _call: Call[NoParameters, NoParameters, DashboardBody]) -> DashboardDocument:
        if self.applying.own.observing is None:
            raise WsgigroupsError("cannot open a dashboard: this manager has none")
        return DashboardDocument(url=self.applying.own.observing.link())

    async def upgrade(self, call: Call[NoParameters, NoParameters, UpgradeBody]) -> UpgradeDocument:
        asked = Asked("upgrade", f"uid {call.peer.uid}", call.peer.uid, call.peer.pid, wait_s=0.0, left=call.left)
        return await self.upgrading.asked(asked, rehearse_only=call.body.rehearse_only)

    def _change(self, number: int) -> ChangeDocument:
        change = self.applying.shell.state.changes.get(number)
        if change is None:  # never was, or is no longer among those that are kept
            raise _unknown(number)
        view = views.change_view(self.applying.shell, change)
        return view.model_copy(update={"seen": _digest(view)})

    def _finished(self, number: int) -> bool:
        change = self.applying.shell.state.changes.get(number)
        return change is None or change.finished

    def _groups(self, call: OfGroups | OfProcesses) -> tuple[str, ...]:
        call.check(call.body.groups)
        handling.check_groups(self.applying.shell.state, call.body.groups)
        return tuple(dict.fromkeys(call.body.groups))

    async def _code(self, groups: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
        """The code that processes get which are started now. Raises WsgigroupsError for a group that went meanwhile."""
        state = self.applying.shell.state
        code = await self.applying.code.now(state.groups[name].target for name in groups)
        handling.check_startable(self.applying.shell.state, groups)
        return code

    def _slots(self, call: OfProcesses) -> dict[str, frozenset[int]]:
        call.check(call.body.slots)
        slots = {name: frozenset(numbers) for name, numbers in call.body.slots.items() if numbers}
        for name, numbers in slots.items():
            handling.check_slots(self.applying.shell.state, name, numbers)
        return {name: numbers for name, numbers in slots.items() if name in call.body.groups}

    def _startable(self, call: OfGroups | OfProcesses) -> tuple[str, ...]:
        call.check(call.body.groups)
        handling.check_startable(self.applying.shell.state, call.body.groups)
        names = self._groups(call)
        self.applying.listen_again(names)
        return names

    def _act(self, event: model.Event) -> BegunDocument:
        number = self.applying.shell.state.next_change
        self.applying.shell.dispatch(event)
        self.applying.save()
        return BegunDocument(change=number, revision=self.applying.shell.state.revision)

    def _begun(self, change: model.Change | None) -> BegunDocument:
        return BegunDocument(change=change.id if change else None, revision=self.applying.shell.state.revision)


def _unknown(number: int) -> WsgigroupsError:
    """What is said of a change that is not known, or not for who asks: the same of both."""
    hint = "the latest changes are kept; `wsgigroups events` says how others ended"
    return WsgigroupsError(f"cannot find change {number}", hint=hint)


def _digest(view: ChangeDocument) -> str:
    """A short text that changes when the view does."""
    groups = sorted(view.groups.items())
    parts = [f"{n}={g.state}:{g.ready}/{g.wanted}-{g.leaving}" for n, g in groups]
    states = [f"{p.life}{p.state[0]}" for _n, g in groups for p in g.processes]
    return hashlib.sha256(f"{view.outcome};{parts};{states}".encode()).hexdigest()[:16]
