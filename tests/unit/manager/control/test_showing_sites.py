"""Requests of sites in the status: of processes that are there, and of those that have ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from support.targets import small_target

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control.showing_sites import ShownSites
from wsgigroups.manager.core import model
from wsgigroups.manager.core.totals import of_sites
from wsgigroups.plan.routing import GATEWAY, RoutingTarget
from wsgigroups.runtime.wire.routes import ListenerRoute, Routes, SiteRoute

ROUTES = Routes((ListenerRoute("127.0.0.1:80", ("a", "b")),), {"a": SiteRoute("a.test"), "b": SiteRoute("b.test")})


def test_they_are_added_up_and_only_what_has_changed_is_made_anew() -> None:
    target = small_target(GATEWAY, routing=RoutingTarget(ROUTES.to_text(), (), (), (), "/run"))
    records = tuple(Record(GATEWAY, life, life, "f", Tenancy.READY) for life in (1, 2, 3))
    group = model.GroupState(target, records, ended=of_sites({"a": 5, "gone": 1}))
    state = model.State({GATEWAY: group})
    counts: dict[int, dict[str, int]] = {1: {"a": 1, "b": 2}, 2: {"b": 2**60, "gone": 1}}
    processes: Any = {
        life: SimpleNamespace(site_pages=SimpleNamespace(read=lambda life=life: counts[life])) for life in counts
    }
    sites = ShownSites()
    first = sites.of(state, processes)
    assert first
    assert [(site.name, site.requests_total) for site in first.sites] == [("a", 6), ("b", 2**53 - 1)]
    assert sites.of(state, processes) is first
    counts[1] = {"a": 2, "b": 2}
    second = sites.of(state, processes)
    assert second
    assert second.sites[0].requests_total == 7
    assert second.sites[1] is first.sites[1]
