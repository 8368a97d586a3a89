"""Routes that name what they do not have, and the cases of the router that are worth a line each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wsgigroups.runtime.gateway.router import Router, canonical
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute, from_text

SITE = SiteRoute(
    "www.example.org",
    ("example.org", "*.example.org"),
    (MountRoute("/", "blog"), MountRoute("/api", "api")),
    (StaticRoute("/static", 0),),
)
OTHER = SiteRoute("other.example.org", (), (MountRoute("/only", "blog"),))
ROUTES = Routes(
    (ListenerRoute("0.0.0.0:80", ("www", "other")), ListenerRoute("0.0.0.0:81", ())),
    {"www": SITE, "other": OTHER},
    {"blog": Link("sockets/blog.sock"), "api": Link("sockets/api.sock")},
)


@pytest.mark.parametrize(
    ("host", "path", "site", "group", "script_name", "path_info"),
    [
        ("www.example.org", "/", "www", "blog", "", "/"),
        ("WWW.Example.ORG:80", "/a", "www", "blog", "", "/a"),
        ("www.example.org.", "/a", "www", "blog", "", "/a"),
        ("example.org", "/api", "www", "api", "/api", ""),
        ("any.thing.example.org", "/api/", "www", "api", "/api", "/"),
        ("www.example.org", "/apis", "www", "blog", "", "/apis"),
        ("www.example.org", "//api", "www", "blog", "", "//api"),
        ("www.example.org", "/static", "www", None, "/static", ""),
        ("www.example.org", "/static/a/b", "www", None, "/static", "/a/b"),
        ("other.example.org", "/only/x", "other", "blog", "/only", "/x"),
        ("other.example.org", "/", "other", None, "", "/"),
        ("unknown.net", "/", "www", "blog", "", "/"),
        ("", "/", "www", "blog", "", "/"),
        ("[::1]:80", "/", "www", "blog", "", "/"),
    ],
)
def test_where_a_request_goes(
    host: str, path: str, site: str, group: str | None, script_name: str, path_info: str
) -> None:
    match = Router(from_text(ROUTES.to_text())).find(0, host, path)
    assert (match.site_name, match.script_name, match.path_info) == (site, script_name, path_info)
    assert (match.mount.group if match.mount else None) == group


def test_a_listener_without_sites_has_nothing() -> None:
    router = Router(ROUTES)
    assert router.find(1, "www.example.org", "/a") == ("", None, None, None, "", "/a")
    assert router.site_of(1, "www.example.org") == ("", None)


def test_a_server_name_is_before_an_alias_of_a_site_that_is_before_it() -> None:
    first, second = SiteRoute("a.org", ("b.org",)), SiteRoute("b.org")
    router = Router(Routes((ListenerRoute("0.0.0.0:80", ("first", "second")),), {"first": first, "second": second}))
    assert router.site_of(0, "b.org")[0] == "second"


def test_files_are_before_an_application_at_the_same_path() -> None:
    site = SiteRoute("a.org", (), (MountRoute("/x", "blog"),), (StaticRoute("/x", 3),))
    router = Router(Routes((ListenerRoute("0.0.0.0:80", ("a",)),), {"a": site}, {"blog": Link("s")}))
    match = router.find(0, "a.org", "/x/y")
    assert match.mount is None
    assert match.static is not None
    assert match.static.directory == 3


def test_routes_that_name_what_is_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no site gone, which 0\.0\.0\.0:80 serves"):
        Router(Routes((ListenerRoute("0.0.0.0:80", ("gone",)),)))
    with pytest.raises(ValueError, match="no link to the group api of the site www"):
        Router(Routes((), {"www": SITE}, {"blog": Link("sockets/blog.sock")}))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.org:8080", "a.org"),
        ("a.org.", "a.org"),
        ("[2001:DB8::1]:443", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_names_as_they_are_compared(host: str, name: str) -> None:
    assert canonical(host) == name


A, B, C = (SiteRoute(f"{name}.example.org", (f"*.{name}.example.org",), (MountRoute("/", "blog"),)) for name in "abc")
LISTENERS = (ListenerRoute("0.0.0.0:80", ("a", "b")), ListenerRoute("0.0.0.0:81", ("b",)))
CHANGED = [
    ({"a": A, "b": replace(B, mounts=(MountRoute("/new", "blog"),))}, LISTENERS),
    ({"a": A, "b": replace(B, server_name="c.example.org")}, LISTENERS),
    ({"a": A, "b": replace(B, aliases=())}, LISTENERS),
    ({"a": B, "b": A}, LISTENERS),
    ({"b": B, "a": A, "c": C}, LISTENERS),
    ({"a": A, "b": B, "c": C}, (ListenerRoute("0.0.0.0:80", ("c", "a")), ListenerRoute("0.0.0.0:81", ("a", "b")))),
    ({"a": A}, (ListenerRoute("0.0.0.0:80", ("a",)), ListenerRoute("0.0.0.0:81", ()))),
    ({"a": A, "b": B}, tuple(reversed(LISTENERS))),
    ({}, ()),
]


@pytest.mark.parametrize(("sites", "listeners"), CHANGED)
def test_what_is_taken_over_comes_to_the_same(
    sites: dict[str, SiteRoute], listeners: tuple[ListenerRoute, ...]
) -> None:
    """A router that takes over parts of the one before it finds what one made anew does, there and back."""
    links = {"blog": Link("s")}
    first, second = Routes(LISTENERS, {"a": A, "b": B}, links), Routes(listeners, sites, links)
    before = Router(first)
    for routes in (second, first, second):
        after, anew = Router(routes, before), Router(routes)
        for listener in range(len(routes.listeners)):
            for host in ("a.example.org", "x.a.example.org", "b.example.org", "y.b.example.org", "c.example.org", ""):
                for path in ("/", "/new/x"):
                    assert after.find(listener, host, path) == anew.find(listener, host, path)
                assert after.site_of(listener, host) == anew.site_of(listener, host)
        before = after


def test_a_link_that_is_gone_is_missed_by_a_site_that_is_taken_over() -> None:
    before = Router(Routes(LISTENERS, {"a": A, "b": B}, {"blog": Link("s")}))
    with pytest.raises(ValueError, match="no link to the group blog"):
        Router(Routes(LISTENERS, {"a": A, "b": B}, {}), before)
