"""The file for an nginx that the manager runs: one text for every process, with all that comes from the manager."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.nginx_words import words

from wsgigroups.gateway.engines.nginx_program import lacks, version_of
from wsgigroups.gateway.engines.supervised import supervised_conf
from wsgigroups.plan.routing import CertificateTarget, DirectoryTarget, NginxTarget, RoutingTarget, numbered
from wsgigroups.runtime.wire.routes import (
    Challenges,
    Link,
    ListenerRoute,
    MountRoute,
    Routes,
    SiteRoute,
    StaticRoute,
    as_of_now,
)

NGINX = NginxTarget("parameter", True, (), (("app", 1000),), 8190)
SITE = SiteRoute("www.test", (), (MountRoute("/", "app"),), (StaticRoute("/s", 0),), "c", access_log=0)
ROUTES = Routes(
    (ListenerRoute("0.0.0.0:80", ("www",)), ListenerRoute("0.0.0.0:443", ("www",), tls=True)),
    {"www": SITE},
    {"app": Link("sockets/app.sock")},
)
LISTEN = ("0.0.0.0:80", "0.0.0.0:443")
BUILT = (
    "nginx version: nginx/{}\nconfigure arguments: --with-http_ssl_module --with-http_realip_module "
    "--with-http_gzip_static_module --with-http_v2_module"
)


def routing(routes: Routes = ROUTES) -> RoutingTarget:
    certificates = (CertificateTarget("c", "/etc/c.crt", "/etc/c.key", 0.0),)
    return RoutingTarget(routes.to_text(), (DirectoryTarget("/srv/s", ""),), ("/log/a",), certificates, "/run/g")


def rendered(
    found: RoutingTarget, nginx: NginxTarget = NGINX, text: str = "", listen: tuple[str, ...] = LISTEN
) -> list[str]:
    return supervised_conf(found, nginx, text or found.text, 42, listen).splitlines()


def has(lines: list[str], line: str) -> bool:
    return line in [item.strip() for item in lines]


def test_paths_begin_where_those_of_its_keeper_do() -> None:
    lines = rendered(routing())
    assert has(lines, 'pid "./nginx.pid";')
    assert has(lines, 'upstream wsgigroups_link_0 { server "unix:sockets/app.sock" max_fails=0; }')
    assert has(lines, 'alias "42/static-0/";')
    assert has(lines, 'access_log "42/access-0" combined;')
    assert has(lines, 'ssl_certificate_key "/run/g/certificates/c.key";')
    assert not [line for line in lines if line.startswith("user ")], "it has no privileges to give up"


def test_each_listener_is_a_socket_of_its_own_and_each_answer_is_counted() -> None:
    lines = rendered(routing())
    assert has(lines, 'listen "0.0.0.0:80" default_server bind;')
    assert has(lines, 'listen "0.0.0.0:443" default_server bind ssl http2;')
    tallied = [line for line in lines if line.strip().startswith("access_log tally wsgigroups_tally ")]
    assert len(tallied) == 3, "for all, and in each server that has a log of its own"


def test_what_only_this_engine_has_can_be_turned_off() -> None:
    lines = rendered(routing(), replace(NGINX, http2="", compression=False))
    assert not [line for line in lines if "http2" in line or line.strip().startswith("gzip on")]
    assert [line for line in rendered(routing()) if line.strip().startswith("gzip on")]
    assert has(rendered(routing()), "client_max_body_size 1000;")


def test_a_site_whose_certificate_is_to_be_made_shakes_no_hands_and_says_what_an_authority_looks_for() -> None:
    waiting = replace(ROUTES, sites={"www": replace(SITE, certificate="", redirect_to_https=True)})
    found = routing(waiting)
    text = as_of_now(found.text, Challenges({"to-ken": 'to-ken.th"umb$1'}))
    lines = rendered(found, text=text)
    assert has(lines, "ssl_reject_handshake on;")
    for place in [number for number, line in enumerate(lines) if "/.well-known/acme-challenge/to-ken" in line]:
        assert words(lines[place + 2].strip())[:3] == ["return", "200", '=to-ken.th"umb${wsgigroups_dollar}1']
    assert sum("/.well-known/acme-challenge/to-ken" in line for line in lines) == 2


def test_every_part_of_what_it_goes_by_has_a_number_of_its_own() -> None:
    parts = ("text", (), ())
    changes = (
        {"http2": ""}, {"compression": False}, {"trusted_proxies": ("unix",)}, {"body_bytes": ()}, {"line_bytes": 1},
    )  # fmt: skip
    others = [replace(NGINX, **change) for change in changes]  # type: ignore[arg-type]
    assert len({numbered(*parts, nginx) for nginx in [None, NGINX, *others]}) == 7


def test_it_is_told_of_its_own_addresses_alone() -> None:
    lines = rendered(routing(), listen=("0.0.0.0:80", "127.0.0.1:7"))
    assert [line.strip() for line in lines if line.strip().startswith("listen")] == [
        'listen "0.0.0.0:80" default_server bind;'
    ]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (BUILT.format("1.22.1"), ""),
        (BUILT.format("1.18.0"), "it is nginx 1.18.0, and 1.20.0 is the oldest that can be run"),
        (BUILT.format("1.27.0").replace("--with-http_realip_module ", ""), "it was built without http_realip_module"),
        (BUILT.format("1.27.0") + " --without-http_uwsgi_module", "it was built without http_uwsgi_module"),
        ("Segmentation fault", "it does not say its version"),
    ],
)
def test_which_nginx_can_be_a_gateway(said: str, problem: str) -> None:
    assert lacks(said) == problem
    assert bool(version_of(said)) == ("version" in said)
