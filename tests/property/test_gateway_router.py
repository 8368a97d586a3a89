"""The router against a slow reference, written from what is promised of sites.

A host is looked for as an exact server name, then as an alias, then as a wildcard alias (the longest), and is the first
site's of the listener if it is nobody's. Of what the site has, the longest path at a segment boundary answers;
SCRIPT_NAME and PATH_INFO follow.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.inside.router_cost import routes
from wsgigroups.runtime.gateway.router import Router
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

LABELS = st.sampled_from(["a", "b", "ab", "example", "org"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
ALIASES = st.one_of(NAMES, NAMES.map("*.{}".format))
SEGMENTS = st.sampled_from(["a", "ab", "b", "é", "a%20b"])
PATHS = st.one_of(st.just("/"), st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts)))
ASKED_SEGMENTS = st.sampled_from(["a", "ab", "b", "é", "a%20b", "", "..", "\0"])
ASKED = st.lists(ASKED_SEGMENTS, max_size=5).map(lambda parts: ("/" + "/".join(parts)).encode().decode("latin-1"))


@st.composite
def all_routes(draw: st.DrawFn) -> Routes:
    sites = {}
    for key in ("one", "two", "three"):
        mounts = draw(st.lists(PATHS, max_size=4, unique=True))
        statics = draw(st.lists(PATHS, max_size=2, unique=True))
        sites[key] = SiteRoute(
            draw(NAMES),
            tuple(draw(st.lists(ALIASES, max_size=3))),
            tuple(MountRoute(path, "blog", f"{key} {path}") for path in mounts),
            tuple(StaticRoute(path, number) for number, path in enumerate(statics)),
        )
    served = draw(st.lists(st.permutations(sorted(sites)), min_size=1, max_size=2))
    listeners = [
        ListenerRoute(f"0.0.0.0:{number}", tuple(order[: draw(st.integers(0, 3))]))
        for number, order in enumerate(served, 80)
    ]
    return Routes(tuple(listeners), sites, {"blog": Link("sockets/blog.sock")})


@st.composite
def asked_hosts(draw: st.DrawFn) -> str:
    name = draw(
        st.one_of(NAMES, st.sampled_from(["", "[::1]", "127.0.0.1", ".", "a..org", "*.org", "x" * 300 + ".org"]))
    )
    name = "".join(draw(st.sampled_from([letter, letter.upper()])) for letter in name)
    return name + draw(st.sampled_from(["", "", ".", ":80", ":", ".:443"]))


def reference(routes: Routes, listener: int, host: str, path: str) -> tuple[Any, ...]:
    """Site, mount, static directory, SCRIPT_NAME and PATH_INFO, found without haste."""
    keys = routes.listeners[listener].sites
    if not keys:
        return "", None, None, "", path
    site = routes.sites[site_of(routes, keys, host)]
    found = [(prefix(static.path), 1, None, static) for static in site.statics]
    found += [(prefix(mount.path), 0, mount, None) for mount in site.mounts]
    fitting = [item for item in found if path == item[0] or path.startswith(item[0] + "/")]
    key = site_of(routes, keys, host)
    if not fitting:
        return key, None, None, "", path
    longest = max(fitting, key=lambda item: (len(item[0]), item[1]))
    return key, longest[2], longest[3], longest[0], path[len(longest[0]) :]


def prefix(path: str) -> str:
    """The prefix as bytes of a request's path have it."""
    return "" if path == "/" else path.encode().decode("latin-1")


def site_of(routes: Routes, keys: tuple[str, ...], host: str) -> str:
    name = host.lower()
    if not name.startswith("["):
        name = name.split(":")[0]
        name = name.removesuffix(".")
    for key in keys:
        if name == routes.sites[key].server_name:
            return key
    for key in keys:
        if name in routes.sites[key].aliases:
            return key
    wildcards = [(alias, key) for key in keys for alias in routes.sites[key].aliases if alias.startswith("*.")]
    fitting = [(alias, key) for alias, key in wildcards if name.endswith(alias[1:]) and len(name) <= 255]
    return max(fitting, key=lambda item: len(item[0]))[1] if fitting else keys[0]


@settings(max_examples=150, deadline=None)
@given(all_routes(), st.lists(st.tuples(asked_hosts(), ASKED), min_size=1, max_size=20))
def test_it_finds_what_the_reference_finds(routes: Routes, asked: list[tuple[str, str]]) -> None:
    router = Router(routes)
    for listener in range(len(routes.listeners)):
        for host, path in asked:
            match = router.find(listener, host, path)
            found = (match.site_name, match.mount, match.static, match.script_name, match.path_info)
            assert found == reference(routes, listener, host, path), (host, path)
            assert match.site is (routes.sites[match.site_name] if match.site_name else None)
            assert match.script_name + match.path_info == path
            assert router.site_of(listener, host) == (match.site_name, match.site)


@pytest.mark.measured
def test_ten_thousand_sites_cost_no_more_than_a_few_microseconds() -> None:
    router = Router(routes(10_000))
    asked = [
        (host, path)
        for number in range(0, 10_000, 10)
        for host, path in (
            (f"www.site-{number}.example", "/a/page"),
            (f"Site-{number}.example:80", "/api/things/7"),
            (f"x.y.tenants.site-{number}.example", "/static/site.css"),
            ("nobody.example", "/"),
        )
    ]
    taken = []
    for _ in range(5):
        before = time.process_time()
        for host, path in asked:
            router.find(0, host, path)
        taken.append((time.process_time() - before) / len(asked))
    assert min(taken) < 20e-6  # a tenth of that where nothing else runs: docs/sites.md


@pytest.mark.measured
def test_what_a_client_sends_does_not_make_it_slow() -> None:
    router = Router(routes(10))
    longest = ("a." * 4095, "/" * 8000)
    before = time.process_time()
    for _ in range(100):
        router.find(0, *longest)
    assert time.process_time() - before < 0.1
