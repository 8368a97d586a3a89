"""Routes come out of a text as they went in, and what is left out of it is what it would have been."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from wsgigroups.runtime.wire.routes import (
    Link,
    ListenerRoute,
    MountRoute,
    Routes,
    SiteRoute,
    StaticRoute,
    from_text,
)

PLAIN = SiteRoute("a.example.org")
FULL = SiteRoute(
    "b.example.org", ("*.b.example.org",), (MountRoute("/", "blog"), MountRoute("/x", "api", "key")),
    (StaticRoute("/s", 0), StaticRoute("/t", 1, "index.html")), "name", True, 60, "1.3", 0, "json", {502: "<p>sorry"},
)  # fmt: skip
LISTENERS = (ListenerRoute("127.0.0.1:80", ("a", "b")), ListenerRoute("127.0.0.1:81", (), True, ("10.0.0.0/8", "unix")))
LINKS = {"blog": Link("sockets/blog.sock"), "api": Link("s", (0, 33), 1.0, 2.0, 3.0, 8192, 65537)}


@pytest.mark.parametrize(
    "routes", [Routes(), Routes(LISTENERS, {"a": PLAIN, "b": FULL}, LINKS), Routes((), {"a": PLAIN}, {})]
)
def test_routes_are_read_as_they_were_written(routes: Routes) -> None:
    known: dict[str, SiteRoute] = {}
    for _ in range(2):
        assert from_text(routes.to_text(), known) == from_text(routes.to_text()) == routes
        assert list(known.values()) == list(routes.sites.values())


def test_what_goes_without_saying_is_left_out() -> None:
    assert Routes((), {"a": PLAIN}, {}).to_text().split("\n")[1:] == ['{"server_name":"a.example.org"}']


def test_a_site_that_has_not_changed_is_the_same_object() -> None:
    known: dict[str, SiteRoute] = {}
    before = from_text(Routes(LISTENERS, {"a": PLAIN, "b": FULL}, LINKS).to_text(), known)
    other = replace(PLAIN, hsts_s=5)
    after = from_text(Routes(LISTENERS, {"b": FULL, "a": other, "c": FULL}, LINKS).to_text(), known)
    assert after.sites == {"b": FULL, "a": other, "c": FULL}
    assert after.sites["b"] is before.sites["b"]
    assert list(known.values()) == [FULL, other]  # what is gone is forgotten


@pytest.mark.parametrize(
    ("data", "sites"),
    [
        ({}, []),
        ({"listeners": [], "sites": [], "links": {"a": {}}}, []),
        ({"listeners": [], "sites": ["a"], "links": {}}, []),
        ({"listeners": [], "sites": [], "links": {}}, [{"server_name": "a"}]),
        ({"listeners": [], "sites": ["a"], "links": {}}, [{"server_name": "a", "later": 1}]),
        ({"listeners": [], "sites": ["a"], "links": {}}, [{"server_name": "a", "error_pages": {"x": ""}}]),
        ({"listeners": [{"sites": []}], "sites": [], "links": {}}, []),
    ],
)
def test_what_is_no_routes_is_refused(data: Any, sites: list[Any]) -> None:
    with pytest.raises((TypeError, KeyError, ValueError)):
        from_text("\n".join(map(json.dumps, [data, *sites])))
