"""Certificates that an authority makes: ordered when a site needs one, renewed in time, used as soon as they are made.

Runs in the manager's only thread, one order at a time. Nothing waits for it: a site without its certificate refuses
handshakes of TLS until there is one, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from wsgigroups.certifying import timing
from wsgigroups.certifying.timing import Attempts
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.reading import read_routes
from wsgigroups.gateway.renewing import with_certificates
from wsgigroups.manager import gateway_root
from wsgigroups.manager.asking import OrderError, Ordering
from wsgigroups.manager.control.documents import OrderDocument
from wsgigroups.manager.core import model
from wsgigroups.manager.core.happenings import KEPT_TEXT, Happening, Kind
from wsgigroups.manager.order_store import KeptOrders, OrderStore
from wsgigroups.manager.supervision import publishing
from wsgigroups.plan.routing import CERTIFICATE_DIRECTORY, GATEWAY, CertificateTarget
from wsgigroups.trust.certificates import PairError, read_pair
from wsgigroups.trust.validity import names_of, validity

if TYPE_CHECKING:
    from wsgigroups.manager.applying import Applying
    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.plan.routing import AuthorityTarget, OrderTarget

PERIOD_S = 0.5
SOON_S = 60.0  # a window that is full is looked at again


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate that was made, as its file has it."""

    certificate: CertificateTarget
    begins_at: float
    names: frozenset[str]


@dataclass(slots=True)
class Orders:
    """All certificates of the configuration in force that an authority makes."""

    applying: Applying
    store: OrderStore = field(init=False)
    kept: KeptOrders = field(init=False)
    _made: dict[str, Made] = field(default_factory=dict)  # by the path of the file
    _seen: GroupTarget | None = None  # the target whose certificates are in use
    _next_at: float = 0.0  # when one has to be ordered, at the earliest
    _under_way: str = ""  # the path of the one that is ordered now
    _said: str = ""

    def __post_init__(self) -> None:
        self.store = OrderStore(self.applying.store.directory)
        self.kept = self.store.load()

    async def watch(self) -> None:
        """Look until cancelled; what cannot be done is said once."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.look()
            except (OSError, ValueError, WsgigroupsError) as error:
                text = error.message if isinstance(error, WsgigroupsError) else str(error)
                if text != self._said:
                    self.applying.log("error", f"certificates cannot be kept: {text}")
                self._said = text
            else:
                self._said = ""

    async def look(self) -> None:
        """Use what was made, and order what is due. Raises OSError, ValueError, WsgigroupsError."""
        target = self._target()
        if target is None or target.routing is None or target.routing.authority is None:
            return
        if target is not self._seen:
            await self._use(target)
            return
        now = time.time()
        if now < self._next_at or not publishing.all_ready(self.applying.shell):
            return
        authority = target.routing.authority
        due = {order.path: self.due_at(authority, order) for order in authority.orders}
        order = min(authority.orders, key=lambda item: due[item.path])
        self._next_at = due[order.path]
        free = timing.free_at(self.kept.orders.get(authority.directory, ()), now)
        if self._next_at <= now < free:
            self._next_at = min(free, now + SOON_S)
        if self._next_at <= now:
            await self._order(target, authority, order)

    def due_at(self, authority: AuthorityTarget, order: OrderTarget) -> float:
        """Return when a certificate is to be ordered, or renewed."""
        made, attempts = self._made.get(order.path), self.kept.attempts.get(order.path, Attempts())
        wanted = 0.0
        if made is not None and made.names >= {name.lower() for name in order.names}:
            found = made.certificate
            wanted = timing.renewal_at(made.begins_at, found.expires_at, timing.fraction_of(found.name))
        return max(wanted, attempts.next_at, self.kept.pauses.get(authority.directory, 0.0))

    def _target(self) -> GroupTarget | None:
        """The gateway's target, if it can be changed now."""
        state = self.applying.shell.state
        group = state.groups.get(GATEWAY)
        if group is None or group.bare or group.removing or group.stopped or state.transaction or state.stopping:
            return None
        return group.target

    async def _use(self, target: GroupTarget) -> None:
        """Have the gateway go by all certificates that there are."""
        changed, made = await asyncio.to_thread(_changed, target)
        if self._target() is not target:
            return
        if changed is not None:
            self.applying.shell.dispatch(model.Rerouted(changed))
            self.applying.save()
            await publishing.taken_over(self.applying.shell)
            if self.applying.shell.state.groups.get(GATEWAY) is None:
                return
        self._made = made
        self._seen, self._next_at = self.applying.shell.state.groups[GATEWAY].target, 0.0

    async def _order(self, target: GroupTarget, authority: AuthorityTarget, order: OrderTarget) -> None:
        held = self.store.lock()
        if held is None:  # a helper of a manager that died has it, for minutes at most
            return
        self._under_way = order.path
        try:
            await self._begin(authority, order)
            await Ordering(self.applying.shell, self.store, target, authority, order, held).carry_out()
        except OrderError as failure:
            await self._failed(authority, order, failure)
        else:
            del self.kept.attempts[order.path]
            await asyncio.to_thread(self.store.save, self.kept)
            self._say("info", "certificate-made", f"{authority.directory} has made a certificate for {_named(order)}")
        finally:
            self._under_way = ""
            os.close(held)
        self._seen = None
        await self.look()

    async def _begin(self, authority: AuthorityTarget, order: OrderTarget) -> None:
        """Store that there is an order, so that whoever finds it after a death does not make the next one at once."""
        now = time.time()
        before = self.kept.attempts.get(order.path, Attempts())
        self.kept.attempts[order.path] = timing.begun(before, now, random.random())  # noqa: S311
        url = authority.directory
        self.kept.orders[url] = (*timing.recent(self.kept.orders.get(url, ()), now), now)
        await asyncio.to_thread(self.store.save, self.kept)

    async def _failed(self, authority: AuthorityTarget, order: OrderTarget, failure: OrderError) -> None:
        begun, now = self.kept.attempts[order.path], time.time()
        attempts = timing.failed(begun, now, failure.why, failure.retry_after_s, spoiled=failure.spoiled)
        self.kept.attempts[order.path] = attempts
        if failure.every:
            self.kept.pauses[authority.directory] = attempts.next_at
        await asyncio.to_thread(self.store.save, self.kept)
        text = f"no certificate for {_named(order)}: {failure.why}; it is tried again at {_moment(attempts.next_at)}"
        self._say("warning", "certificate-failed", text)

    def _say(self, level: str, kind: Kind, text: str) -> None:
        shell = self.applying.shell
        self.applying.log(level, f"{GATEWAY}: {text}")
        shell.outside.record([Happening(kind, text[:KEPT_TEXT], GATEWAY)])
        shell.changed.set()
        shell.changed = asyncio.Event()

    # For people

    def shown(self) -> list[OrderDocument]:
        """Return how it stands with each certificate."""
        group = self.applying.shell.state.groups.get(GATEWAY)
        routing = group.target.routing if group else None
        authority = routing.authority if routing else None
        return [self._shown(authority, order) for order in authority.orders] if authority else []

    def _shown(self, authority: AuthorityTarget, order: OrderTarget) -> OrderDocument:
        attempts = self.kept.attempts.get(order.path, Attempts())
        ordering = order.path == self._under_way
        made = order.path in self._made
        return OrderDocument(
            sites=list(order.sites),
            names=list(order.names),
            state="ordering" if ordering else "made" if made else "waiting",
            failures=attempts.failures - ordering,
            error=(attempts.error or None) if not ordering else None,
            next_at=_moment(self.due_at(authority, order)),
        )

    def notices(self) -> list[str]:
        """Return what a plan says of certificates that are not as they should be."""
        found = []
        for item in self.shown():
            if item.state == "made" and item.error is None:
                continue
            text = "it has none yet" if item.state != "made" else "it was not renewed"
            if item.state == "ordering":
                text += ", and is ordered now"
            elif item.error is not None:
                text += f": {item.error}; it is tried again at {item.next_at}"
            found.append(f"{', '.join(item.sites)}: certificate of the authority: {text}")
        return found


def _changed(target: GroupTarget) -> tuple[GroupTarget | None, dict[str, Made]]:
    """Read the certificates, in another thread; return the target with them (None: it has them), and what they are."""
    routing = target.routing
    if routing is None or routing.authority is None:
        return None, {}
    routes, account = read_routes(routing), gateway_root.account_of(target)
    new: dict[str, CertificateTarget] = {}
    made: dict[str, Made] = {}
    for order in routing.authority.orders:
        try:
            pair = read_pair(order.path, order.path, account)
            begins_at, _ends = validity(pair.chain)
            names = names_of(pair.chain)
        except (PairError, ValueError):
            continue
        found = CertificateTarget(pair.name, order.path, order.path, pair.expires_at)
        made[order.path] = Made(found, begins_at, names)
        sites = [key for key in order.sites if key in routes.sites]
        if any(routes.sites[key].certificate != pair.name for key in sites):
            gateway_root.write_pair(os.path.join(routing.root, CERTIFICATE_DIRECTORY), found, target)
            new.update(dict.fromkeys(sites, found))
    return with_certificates(target, new) if new else None, made


def _named(order: OrderTarget) -> str:
    return ", ".join(order.names[:3]) + (f" and {len(order.names) - 3} more" if len(order.names) > 3 else "")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
