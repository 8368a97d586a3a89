"""Requests of each site: what a gateway counts is what the manager reads, over any change of the routes."""

from __future__ import annotations

import os

import pytest

from wsgigroups.manager.supervision.site_pages import SitePages
from wsgigroups.runtime.gateway.site_counts import SiteTally


def test_counts_go_on_over_changes_of_the_routes() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pages, nobody = SitePages(), SiteTally([])
    assert not pages
    first = SiteTally(["a", "b"], pages.make(["a", "b"]))
    assert pages
    assert pages.read() == {}, "it is not in use yet"
    first.take_over(nobody)
    for key in ("a", "b", "a", "gone"):
        first.count(key)
    assert pages.read() == {"a": 2, "b": 1}
    second = SiteTally(["c", "a"], pages.make(["c", "a"]))
    first.count("a")
    assert pages.read() == {"a": 3, "b": 1}, "it was sent, and the process goes by what it had"
    second.take_over(first)
    first.close()
    second.count("c")
    assert pages.read() == {"a": 3, "c": 1}
    assert (second.of("a"), second.of("b")) == (3, 0)
    assert pages.read() == {"a": 3, "c": 1}
    second.close()
    pages.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_pages_that_nobody_takes_do_not_pile_up() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pages = SitePages()
    used = SiteTally(["a"], pages.make(["a"]))
    used.take_over(SiteTally([]))
    used.count("a")
    for _ in range(5):
        pages.make(["a"])
        assert pages.read() == {"a": 1}
    assert len(os.listdir("/proc/self/fd")) <= before + 3  # a mapping may have one of its own
    used.close()
    pages.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_page_that_is_too_short_is_refused() -> None:
    pages = SitePages()
    with pytest.raises(ValueError, match="too short"):
        SiteTally([str(number) for number in range(1000)], pages.make(["a"]))
    pages.close()
