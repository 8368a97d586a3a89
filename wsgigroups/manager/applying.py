"""Applying a configuration: all that can be refused is tried before anything changes.

Runs in the manager's only thread. One apply at a time; a refused one leaves everything as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wsgigroups.config import Configuration
from wsgigroups.config.own import own_options
from wsgigroups.errors import ExitCode, MovedError, WsgigroupsError
from wsgigroups.manager import failpoints, gateway_root, inherited
from wsgigroups.manager.code import CodeKeeper
from wsgigroups.manager.control import views
from wsgigroups.manager.core import handling, model, returning, transactions
from wsgigroups.manager.giving_back import GivingBack
from wsgigroups.manager.log_checks import Writers, check_log
from wsgigroups.manager.ordering import Orders
from wsgigroups.manager.own_settings import OwnSettings
from wsgigroups.manager.owning import KnownOwners
from wsgigroups.manager.queueing import ApplyQueue, Asked, News
from wsgigroups.manager.resolving import Resolving, Shown
from wsgigroups.manager.socket_files import SocketFiles
from wsgigroups.manager.supervision.recovery import to_stored
from wsgigroups.manager.supervision.vitals import weight
from wsgigroups.plan.files import with_files
from wsgigroups.plan.own import with_manager
from wsgigroups.plan.planner import Plan, plan, with_memory
from wsgigroups.plan.precondition import Preconditions, does_no_more, moved
from wsgigroups.uncollected import uncollected

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection, Iterable, Mapping

    from wsgigroups.manager.owning import Wanted
    from wsgigroups.manager.resolving import Read
    from wsgigroups.manager.store import Store
    from wsgigroups.manager.supervision.listeners import HeldListener
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.plan.desired import Desired
    from wsgigroups.targets.resolve import Surroundings


@dataclass(slots=True)
class Applying:
    """What apply, plan and rollback have in common."""

    shell: Shell
    store: Store
    around: Surroundings
    log: Callable[[str, str], None]
    code: CodeKeeper = field(init=False)
    queue: ApplyQueue = field(init=False)
    socket_files: SocketFiles = field(init=False)
    orders: Orders = field(init=False)
    owners: KnownOwners = field(init=False)
    conditions: Preconditions = field(default_factory=Preconditions)
    own: OwnSettings = field(init=False)
    resolving: Resolving = field(init=False)
    giving_back: GivingBack = field(default_factory=GivingBack)
    _based_on: dict[int, int] = field(default_factory=dict)  # revisions about some groups → what the others have
    _failed: int = field(init=False, default=0)  # the last revision whose apply failed; 0: none has

    def __post_init__(self) -> None:
        self.socket_files = SocketFiles(self.store.directory, self.log)
        self.orders = Orders(self)
        self.owners = KnownOwners(self.store)
        self.own = OwnSettings(self.store)
        self.code = CodeKeeper(self.store.directory / "code")
        self.queue = ApplyQueue(self.shell)
        self.resolving = Resolving(self)

    async def plan(
        self, read: Read, only: Collection[str] | None = None, who: tuple[int, int] | None = None
    ) -> dict[str, Any]:
        """Return what `apply` would change, and what that depends on, as plain data. Raises WsgigroupsError.

        only: the files that it is about; who: uid and pid of whom it is shown to.
        """
        looked_at = time.monotonic()
        wanted = await self.resolving.targets(read, only)
        observed, revision = wanted.within(views.observed(self.shell)), self.shell.state.revision
        groups = self.shell.state.groups
        about = self.orders.notices()
        pids = {name: views.one_of(group) for name, group in self.shell.state.groups.items()}

        def planned() -> dict[str, Any]:
            with uncollected():
                depends = self.conditions.of(revision, wanted.targets, observed)
                made = plan(wanted.targets, observed, self.code.files_of)
                replaced = {step.group: pids.get(step.group) for step in made.steps if step.cost.processes_replaced}
                sizes = {name: weight(pid) for name, pid in replaced.items() if pid}  # a millisecond each
                found = self._with_own(with_memory(made, sizes), wanted).to_json()
                found = with_files(found, self.owners.of(revision), wanted.configuration.owners)
                self.resolving.shown = Shown(wanted, only, depends, groups, looked_at, who)
                return {**found, "notices": [*found["notices"], *about], "precondition": depends.to_json()}

        async with self.resolving.one_at_a_time:
            return await asyncio.to_thread(planned)

    def _with_own(self, found: Plan, wanted: Wanted) -> Plan:
        """Return a plan with what changes for the manager itself."""
        if self.own.observing is None:
            return found
        return with_manager(found, self.own.by_option(), own_options(wanted.configuration.server))

    def whole_of(self, revision: int) -> int:
        """Return the revision that was about every group, and on which this one, which may be about some, is based."""
        return self._based_on.get(revision, revision)

    def begins(self, revision: int) -> None:
        """Note that this revision is about some groups: what the others have is what they had."""
        self._based_on[revision] = self.whole_of(self.shell.state.revision)

    def plan_for(self, targets: Desired) -> Plan:
        """Return what would change for these targets, with no idea of the memory that it takes."""
        return plan(targets, views.observed(self.shell), self.code.files_of)

    async def apply(self, read: Read, asked: Asked) -> model.Change | None:
        """Begin the change when it is its turn; None when there is nothing to do. Raises WsgigroupsError, BusyError.

        A refused one changes nothing. One that asks for what the apply under way brings about is that apply.
        """
        async with self.queue.turn(asked):
            failpoints.reached("apply: its turn")
            wanted = await self.resolving.as_shown(read, asked) or await self.resolving.targets(read, asked.only)
            same = self._under_way(wanted)
            if same is None and await self.queue.end_of_change(asked):
                wanted = await self.resolving.targets(read, asked.only)
            failpoints.reached("apply: resolved")
            if same is None:
                await self.prepare_gateway(wanted.targets)
            if same and self.shell.state.paused:
                return self.pause(same.id, paused=False)
            with uncollected():
                return same or self._begin(wanted, asked)

    async def prepare_gateway(self, targets: Desired) -> None:
        """Make what a gateway with another target needs. Raises WsgigroupsError."""
        state = self.shell.state
        changed = {n: t for n, t in targets.items() if n not in state.groups or state.groups[n].target is not t}
        gateway_root.clean(self.shell.outside.run_dir, state, self.shell.published.challenges.pairs.values())
        await asyncio.to_thread(gateway_root.prepare, changed, str(self.shell.outside.run_dir))

    async def rollback(self, number: int | None, asked: Asked) -> model.Change | None:
        """Undo the apply under way, or apply an earlier revision, without a number the last good one."""
        under_way = self.shell.state.open_apply
        if number is None and under_way is not None and returning.can_return(self.shell.state, under_way):
            return self.give_up(under_way)
        chosen = self.good_before() if number is None else number
        document = self.store.document(chosen)
        asked = replace(asked, by=f"{asked.by} to {chosen}", overtake=True)
        return await self.apply(lambda: Configuration.from_document(document), asked)

    def give_up(self, number: int) -> model.Change:
        """Have the groups of an apply under way return to what they were. Raises WsgigroupsError."""
        change = self.shell.state.changes.get(number)
        if change is None:
            raise WsgigroupsError(f"cannot find change {number}")
        if not returning.can_return(self.shell.state, number):
            raise WsgigroupsError(
                f"cannot undo change {number}: {_why_not_undone(change)}",
                hint="`wsgigroups rollback` applies the last good revision again",
            )
        self.shell.dispatch(model.Return(number))
        self.save()
        return self.shell.state.changes[number]

    def pause(self, number: int | None, *, paused: bool) -> model.Change:
        """Let an apply under way rest, or go on; without a number the one that is. Raises WsgigroupsError."""
        chosen = self.shell.state.open_apply if number is None else number
        change = None if chosen is None else self.shell.state.changes.get(chosen)
        what = "pause" if paused else "resume"
        if change is None:
            which = "no apply is under way" if number is None else f"there is no change {number}"
            raise WsgigroupsError(f"cannot {what}: {which}", hint="`wsgigroups events` shows what there was")
        if not returning.can_return(self.shell.state, change.id):
            raise WsgigroupsError(f"cannot {what} change {change.id}: {_why_not_undone(change)}")
        self.shell.dispatch(model.Pause(change.id, paused))
        self.save()
        return change

    def _under_way(self, asked: Wanted) -> model.Change | None:
        """The apply under way, when it brings about just this."""
        state = self.shell.state
        if not self.own.are(asked.configuration.server):
            return None
        if state.open_apply is None or (state.transaction and state.transaction.returning):
            return None
        if asked.scope is not None and not asked.scope.issuperset(state.changes[state.open_apply].groups):
            return None  # it is about other files
        leaving = state.transaction.removals if state.transaction else frozenset()
        wanted = {name: g.target for name, g in state.groups.items() if name not in leaving and not g.removing}
        if state.transaction:
            wanted.update(state.transaction.later)
        return state.changes[state.open_apply] if asked.within(wanted) == dict(asked.targets) else None

    def _begin(self, wanted: Wanted, asked: Asked) -> model.Change | None:
        configuration, targets = wanted.configuration, wanted.targets
        if self.shell.state.stopping:
            raise WsgigroupsError("cannot apply: the manager is shutting down", exit_code=ExitCode.FAILED)
        planned = self._planned(wanted, asked)
        if planned.empty:
            self._learn(targets)
            self._record(configuration)
            return None
        failpoints.reached("apply: planned")
        self._check_logs(wanted)
        failpoints.reached("apply: logs are there")
        opened, renewed = self._open(targets), planned.with_new_code
        failpoints.reached("apply: listeners are open")
        own: dict[str, socket.socket] = {}
        try:
            own = self.own.prepare(configuration.server)
            change = self.accept(wanted, opened, asked, renewed=renewed, repairs=planned.repairs)
        except WsgigroupsError:
            self.own.discard(own)
            raise
        if own or not self.own.are(configuration.server):
            self.own.commit(configuration.server, own)
            self.save()
        return change

    def _planned(self, wanted: Wanted, asked: Asked) -> Plan:
        """Return the plan that is carried out. Raises MovedError where it is not the one that was agreed to.

        Whose turn it is has its plan made anew here, and goes on with it, unless somebody has to be asked.
        """
        observed, targets = wanted.within(views.observed(self.shell)), wanted.targets
        found: tuple[str, ...] = ()
        if asked.precondition:
            keyed = asked.precondition.keyed
            now = self.conditions.of(self.shell.state.revision, targets, observed, keyed=keyed)
            found = moved(asked.precondition, now)
            if found and asked.shown is None and not asked.agrees:
                raise MovedError(found)
        planned = self._with_own(plan(targets, observed, self.code.files_of), wanted)
        if found:
            kinds = {step.group: step.kind.value for step in planned.steps}
            if not asked.agrees and not does_no_more(asked.shown or {}, kinds):
                raise MovedError(found)
            asked.told(News(found, planned))
        return planned

    def _learn(self, targets: Desired) -> None:
        """Take what is there now for the code of processes of which nobody knows theirs: changes from now on are seen.

        They were started by a version that did not look, or when it could not be looked at.
        """
        known = self.shell.state.groups
        learned = {name: t.code for name, t in targets.items() if t.code.keys() - known[name].target.code.keys()}
        if learned:
            self.shell.dispatch(model.CodeKnown(learned))
            self.code.keep(targets, self.shell.state)
            self.save()

    def _record(self, configuration: Configuration) -> None:
        """Take note of the files that what runs comes from now; nothing else of it differs."""
        revision = self.shell.state.revision
        try:
            if revision:
                self.owners.record(revision, configuration.owners)
        except (OSError, WsgigroupsError) as error:
            self.log("warning", f"cannot record which files the groups come from: {error}")

    def accept(
        self,
        wanted: Wanted,
        opened: dict[str, dict[str, HeldListener]],
        asked: Asked,
        unresolved: Mapping[str, model.Unresolved] = MappingProxyType({}),
        renewed: frozenset[str] = frozenset(),
        *,
        repairs: bool = False,
    ) -> model.Change:
        """Store a configuration and begin its change, with the listeners that were opened for it.

        unresolved: groups of it that cannot be had at present; who starts with nothing else goes on without a store.
        renewed: groups that have new code; repairs: nothing differs, so that it is no new revision.
        """
        running, former, targets = self.shell.state.revision, self.shell.unadopted, wanted.targets
        revision = running if repairs else max(running, self.store.last_number()) + 1
        event = model.Apply(targets, revision, asked.kind, unresolved, renewed, wanted.scope)
        # what was asked for is known now; what a group was that cannot be had now is kept, and not in force
        kept = {name: {**item, "in_force": False} for name, item in former.items() if name in unresolved}
        self.shell.unadopted = {**wanted.beyond(former), **kept}
        failpoints.reached("apply: numbered")
        try:
            self._keep(event, wanted.configuration, asked.by)
            failpoints.reached("apply: coming state stored")
            self._commit(targets, opened)
            failpoints.reached("apply: listeners in use")
        except WsgigroupsError:
            for listeners in opened.values():
                self.shell.listeners.discard(listeners)
            self.shell.unadopted = former
            if not repairs:
                self.store.drop_revision(revision)
            self.save()
            raise
        if wanted.scope is not None:
            self.begins(revision)
        number = self.shell.state.next_change
        self.queue.begun(number, asked)
        self.shell.dispatch(event)
        failpoints.reached("apply: decided")
        self.code.keep(targets, self.shell.state)
        failpoints.reached("apply: code kept")
        self.save()
        failpoints.reached("apply: state stored")
        return self.shell.state.changes[number]

    def _keep(self, event: model.Apply, configuration: Configuration, by: str) -> None:
        """Store what is to be, before anything becomes it: a manager that dies leaves the old or the new behind."""
        coming, _commands = handling.handle(self.shell.state, event, time.monotonic())
        try:
            if event.revision != self.shell.state.revision:
                self.store.save_revision(event.revision, configuration.to_document(), "pending", by)
                failpoints.reached("apply: revision stored")
            self._store(coming)
        except OSError as error:
            text = f"cannot store revision {event.revision} in {self.store.directory}: {error.strerror}"
            if event.kind != model.START_UP:
                raise WsgigroupsError(text, hint="nothing was changed") from None
            self.log("error", text)

    def finished(self, change: model.Change) -> None:
        """Record how a revision's rollout ended."""
        if change.kind not in model.APPLYING or change.revision is None:
            return
        self.giving_back.took()
        if change.outcome != "done":
            self._listen_as_before(change)
        if change.outcome == "rolled-back":
            self.own.follow_revision(self.shell.state.revision)
            self.save()
        try:
            self.store.set_outcome(change.revision, change.outcome)
            failpoints.reached("end: outcome stored")
            self._failed = change.revision if change.outcome == "failed" else 0
        except (OSError, WsgigroupsError) as error:
            self.log("warning", f"cannot record the outcome of revision {change.revision}: {error}")

    def look(self) -> None:
        """Record that the revision that runs is good when its apply failed, and what it asked for came up by itself."""
        if self.own.observing:
            self.own.observing.look()
        state = self.shell.state
        self.giving_back.look(busy=self.resolving.one_at_a_time.locked() or state.open_apply is not None)
        if not self._failed or self._failed != state.revision or state.open_apply is not None:
            return
        if all(transactions.ready_as_asked(group) == group.wanted for group in state.groups.values()):
            try:
                self.store.set_outcome(self._failed, "done")
            except (OSError, WsgigroupsError) as error:
                self.log("warning", f"cannot record the outcome of revision {self._failed}: {error}")
            self._failed = 0

    def _listen_as_before(self, change: model.Change) -> None:
        """Give the listeners of groups that returned the settings that they had."""
        for name in change.groups:
            group = self.shell.state.groups.get(name)
            if group is None or group.removing or group.stopped:
                continue
            target = group.target
            try:
                opened = self.shell.listeners.prepare(name, target.listeners, target.uid)
                self.shell.listeners.commit(name, target.listeners, opened, target.uid)
            except (OSError, WsgigroupsError) as error:
                self.log("error", f"{name}: {error}")

    def good_before(self) -> int:
        """The revision that `rollback` without a number applies. Raises WsgigroupsError."""
        running = self.shell.state.revision
        number = self.store.good_before(running)
        if number is None:
            raise WsgigroupsError(
                f"cannot roll back: no other configuration before revision {running} was applied with success",
                hint="`wsgigroups history` lists what is kept; `wsgigroups rollback REVISION` applies any of them",
            )
        return number

    def save(self) -> bool:
        """Store the state; a full disk is a warning, service goes on. Tells whether it is stored."""
        try:
            self._store(self.shell.state)
        except OSError as error:
            self.log("warning", f"cannot store the state: {error.strerror}")
            return False
        return True

    def _store(self, state: model.State) -> None:
        """Store a state. Raises OSError."""
        stored = to_stored(self.shell, state)
        inherited.note(stored, self.around)
        self.own.keep_in(stored)
        self.store.save(stored)

    def _open(self, targets: Desired) -> dict[str, dict[str, HeldListener]]:
        opened: dict[str, dict[str, HeldListener]] = {}
        self.socket_files.note(self.shell.state, targets.values())
        try:
            for name, target in targets.items():
                if not self.stays_stopped(name):
                    opened[name] = self.shell.listeners.prepare(name, target.listeners, target.uid)
        except BaseException:
            for listeners in opened.values():
                self.shell.listeners.discard(listeners)
            raise
        return opened

    def stays_stopped(self, name: str) -> bool:
        """Whether the group is stopped by hand, which no apply ends: it listens when it is started."""
        group = self.shell.state.groups.get(name)
        return group is not None and group.stopped and not group.removing

    def listen_again(self, names: Iterable[str]) -> None:
        """Bind what stopped groups listen on. Raises WsgigroupsError for an address that is taken."""
        groups = [self.shell.state.groups[name] for name in names]
        targets = {group.target.name: group.target for group in groups if group.stopped}
        opened: dict[str, dict[str, HeldListener]] = {}
        try:
            for name, target in targets.items():
                opened[name] = self.shell.listeners.prepare(name, target.listeners, target.uid)
        except BaseException:
            for listeners in opened.values():
                self.shell.listeners.discard(listeners)
            raise
        for name, target in targets.items():
            self.shell.listeners.commit(name, target.listeners, opened[name], target.uid)

    def _commit(self, targets: Desired, opened: dict[str, dict[str, HeldListener]]) -> None:
        """Take the listeners into use. What a target no longer names is closed when its old processes are gone."""
        for name, target in targets.items():
            if self.stays_stopped(name):
                continue
            try:
                self.shell.listeners.commit(name, target.listeners, opened.pop(name), target.uid)
            except WsgigroupsError:
                for listeners in opened.values():
                    self.shell.listeners.discard(listeners)
                raise

    def _check_logs(self, wanted: Wanted) -> None:
        """Every log can be opened, and none is open to processes of two users. Raises WsgigroupsError."""
        writers: Writers = {}
        made: set[str] = set()
        for other in wanted.beyond(self.shell.state.groups).values():
            with contextlib.suppress(WsgigroupsError):  # whatever there is to be said of it, it stays as it is
                check_log(other.target, writers, made, in_use=True)
        for name, target in wanted.targets.items():
            group = self.shell.state.groups.get(name)
            check_log(target, writers, made, in_use=group is not None and group.target is target)


def _why_not_undone(change: model.Change) -> str:
    if change.finished:
        return f"it is over, {change.outcome}"
    return "it is being undone already" if change.kind in model.APPLYING else f"it is no apply but {change.kind}"
