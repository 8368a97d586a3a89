"""What a gateway is told beside its routes, and when: stopped groups, and keys of TLS tickets."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.logs import logs_of_nobody
from support.targets import small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.core import model
from wsgigroups.manager.supervision import beside_routes, routing
from wsgigroups.manager.supervision.beside_routes import TICKET_KEYS_S, BesideRoutes, may_stop, stopped_groups
from wsgigroups.plan.desired import ListenerTarget
from wsgigroups.plan.routing import GATEWAY, CertificateTarget, RoutingTarget

LINK = ListenerTarget("unix:/run/x/gateway/sockets/app.sock", 100)
APP = model.GroupState(small_target("app", listeners=(LINK,)))
FRONT = small_target(GATEWAY, routing=RoutingTarget("{}", (), (), (), "/run/x/gateway"))


CASES = {
    "it serves": (APP, False),
    "it is stopped": (replace(APP, stopped=True), True),
    "it has been scaled to nothing": (replace(APP, processes_override=0), True),
    "it is to have no process": (model.GroupState(small_target("app", listeners=(LINK,), processes=0)), True),
    "it restarts": (replace(APP, restart_before=9), False),
    "it is going, and so do its routes": (replace(APP, removing=True), False),
    "no gateway asks it": (model.GroupState(small_target("app"), stopped=True), False),
}


@pytest.mark.parametrize(("group", "told"), CASES.values(), ids=CASES.keys())
def test_who_counts_as_stopped(group: model.GroupState, told: bool) -> None:
    assert stopped_groups({"app": group}, "/run/x/gateway") == ({"app"} if told else set())


def test_processes_are_told_once_whenever_it_is_another_set(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, frozenset[str]]] = []

    def tell(process: Any, _target: object, _logs: object, published: routing.Published) -> str:
        told.append((process.life, published.stopped))
        return "it is gone" if process.life == 2 else ""

    monkeypatch.setattr(beside_routes.routing, "tell", tell)
    logged: list[str] = []
    processes: Any = {life: SimpleNamespace(life=life) for life in (1, 2)}
    links = BesideRoutes(routing.Published(), processes, logs_of_nobody(), lambda _level, text: logged.append(text))
    records = tuple(Record(GATEWAY, slot, slot, "f", Tenancy.READY) for slot in (1, 2, 3))
    gateway = model.GroupState(FRONT, records)
    serving = model.State({GATEWAY: gateway, "app": APP})
    stopped = replace(serving, groups={GATEWAY: gateway, "app": replace(APP, stopped=True)})
    for state in (model.State({"app": APP}), serving, stopped, stopped, replace(serving, stopping=True), serving):
        links.look(state)
    assert told == [(life, names) for names in (frozenset(("app",)), frozenset()) for life in (1, 2)]
    assert logged == [f"{GATEWAY}/2: it goes by what it knew of stopped groups and TLS tickets: it is gone"] * 2


def test_keys_of_tickets_change_with_time_where_there_are_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(beside_routes.routing, "tell", lambda *given: told.append(given[3].ticket_keys) or "")
    now = [5.0]
    processes: Any = {1: SimpleNamespace(life=1)}
    published = routing.Published()
    beside = BesideRoutes(published, processes, logs_of_nobody(), lambda _level, _text: None, lambda: now[0])
    assert len(published.ticket_keys) == 160
    assert published.ticket_keys not in repr(published)
    pair = CertificateTarget("one", "/one.crt", "/one.key", 0.0)
    assert FRONT.routing
    secure = replace(FRONT, routing=replace(FRONT.routing, certificates=(pair,)))
    record = Record(GATEWAY, 1, 1, "f", Tenancy.READY)
    for target, seconds, other, times in (
        (secure, TICKET_KEYS_S - 1, False, 0),
        (secure, 1.0, True, 1),
        (secure, 1.0, False, 1),
        (FRONT, TICKET_KEYS_S, True, 1),
    ):
        before = published.ticket_keys
        now[0] += seconds
        beside.look(model.State({GATEWAY: model.GroupState(target, (record,))}))
        assert (published.ticket_keys != before) is other
        assert len(told) == times


def test_what_happens_to_lives_is_not_looked_at() -> None:
    assert may_stop(cast("Any", model.Stop(("app",))), [])
    assert not may_stop(model.Tick(), [])
    assert not may_stop(model.LifeBecameReady(1), [model.StoreState()])
    assert may_stop(model.Tick(), [model.FinishChange(cast("Any", None))])
