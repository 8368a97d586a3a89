"""What is rendered for nginx: one file, in which no text of a configuration means anything to nginx."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.nginx_words import words

from wsgigroups.gateway.engines.nginx import NginxHost, render
from wsgigroups.gateway.engines.nginx_program import http2_of
from wsgigroups.gateway.engines.nginx_text import DOLLAR, RenderError, host_name, literal, page_words, word
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

HOST = NginxHost(
    "/run/nginx", {"app": "/run/app.sock"}, ("/srv/files",), ("/var/log/a.log",), {"c": ("/c.crt", "/c.key")}
)
SITE = SiteRoute("www.example.org", ("*.example.org",), (MountRoute("/", "app"),), (StaticRoute("/static", 0),))
ROUTES = Routes((ListenerRoute("0.0.0.0:80", ("www",)),), {"www": SITE}, {"app": Link("sockets/app.sock")})
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
PRINTED = st.text(st.characters(exclude_categories=("Cs",), min_codepoint=32, exclude_characters="\x7f"), max_size=40)


def site(**changes: object) -> Routes:
    """Return the routes with another site."""
    return replace(ROUTES, sites={"www": replace(SITE, **changes)})  # type: ignore[arg-type]


@given(TEXT)
def test_a_word_is_read_as_it_was_or_refused(text: str) -> None:
    if any(ord(character) < 32 or character == "\x7f" for character in text):
        with pytest.raises(RenderError):
            word(text, "the text")
        return
    assert words(f"x {word(text, 'the text')};") == ["x", f"={text}", ";"]
    assert words(literal(text, "the text")) == [f"={text.replace('$', f'${{{DOLLAR}}}')}"]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=3000))
def test_a_page_is_read_as_it_was(text: str) -> None:
    found = words(" ".join(page_words(text)))
    assert "".join(item[1:] for item in found) == text
    assert all(len(item.encode()) < 4096 for item in page_words(text))


@given(PRINTED, PRINTED, PRINTED, PRINTED)
def test_the_shape_of_the_file_does_not_depend_on_texts(path: str, directory: str, group: str, page: str) -> None:
    """Braces, semicolons and words outside of quotes are the same, whatever is inside of them."""

    def shape(one: str, two: str, three: str, four: str) -> list[str]:
        changed = site(
            mounts=(MountRoute(f"/x{one}/y", "app", three),),
            statics=(StaticRoute("/static", 0, "i"),),
            access_log=0,
            error_pages={502: four},
        )
        host = replace(HOST, directories=(f"/srv/{two}",), access_logs=(f"/log/{two}",), sockets={"app": f"/{two}"})
        return ["=" if item.startswith("=") else item for item in words(render(changed, host))]

    assert shape(path, directory, group, page) == shape("a", "b", "c", "d")


@pytest.mark.parametrize(
    "name", ["~^(?<x>.*)$", "a b", 'a"b', "a;b", ".example.org", "$host", "", "a\nb", "ä.org", "*"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RenderError, match="cannot render"):
        host_name(name)
    with pytest.raises(RenderError):
        render(site(server_name=name), HOST)


@pytest.mark.parametrize(
    "name", ["www.example.org", "*.example.org", "localhost", "xn--bcher-kva.example", "[::1]", "a_b"]
)
def test_a_name_is_a_word(name: str) -> None:
    assert host_name(name) == f'"{name}"'


def test_what_nginx_cannot_be_told() -> None:
    secure = replace(ROUTES, listeners=(ListenerRoute("0.0.0.0:443", ("www",), tls=True),))
    with pytest.raises(RenderError, match="no certificate"):
        render(secure, HOST)
    secure = replace(secure, sites={"www": replace(SITE, certificate="c")})
    with pytest.raises(RenderError, match=r"behind its \$"):
        render(secure, replace(HOST, certificates={"c": ("/$c.crt", "/c.key")}))
    with pytest.raises(RenderError, match="control characters"):
        render(site(mounts=(MountRoute("/a\nb", "app"),)), HOST)
    with pytest.raises(RenderError, match="begin with a slash"):
        render(site(mounts=(MountRoute("= /", "app"),)), HOST)
    with pytest.raises(RenderError, match="longer than nginx reads"):
        render(site(mounts=(MountRoute("/" + "x" * 4000, "app"),)), HOST)


def test_names_that_several_sites_have_are_the_first_ones_and_names_are_before_aliases() -> None:
    sites = {
        "one": replace(SITE, server_name="One.test", aliases=("two.test", "both.test")),
        "two": replace(SITE, server_name="two.test", aliases=("both.test",)),
        "three": replace(SITE, server_name="one.test.", aliases=()),
    }
    text = render(Routes((ListenerRoute("0.0.0.0:80", tuple(sites)),), sites, ROUTES.links), HOST)
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("server_name ")]
    assert lines == ['server_name "one.test" "both.test";', 'server_name "two.test";', 'server_name "_";']


@pytest.mark.parametrize(
    ("link", "lines"),
    [
        (Link("s"), ["uwsgi_read_timeout 60000ms;", "send_timeout 60000ms;", "uwsgi_buffer_size 32768;"]),
        (Link("s", socket_timeout_s=0), ["uwsgi_read_timeout 240h;", "uwsgi_send_timeout 240h;"]),
        (Link("s", response_socket_timeout_s=1.5), ["send_timeout 1500ms;", "uwsgi_read_timeout 60000ms;"]),
        (Link("s", connect_timeout_s=300, header_buffer_size_bytes=8192), ["uwsgi_connect_timeout 75000ms;"]),
        (Link("s", header_buffer_size_bytes=8192), ["uwsgi_buffers 8 8192;", "uwsgi_busy_buffers_size 16384;"]),
    ],
)
def test_the_options_of_the_link(link: Link, lines: list[str]) -> None:
    text = render(replace(ROUTES, links={"app": link}), HOST)
    assert [line for line in lines if f" {line}" not in text] == []


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ("nginx version: nginx/1.22.1\nconfigure arguments: --with-http_v2_module", "parameter"),
        ("nginx version: nginx/1.25.0\nconfigure arguments: --with-http_v2_module", "parameter"),
        ("nginx version: nginx/1.25.1 (x)\nconfigure arguments: --with-http_v2_module", "directive"),
        ("nginx version: nginx/1.26.0\nconfigure arguments: --with-http_ssl_module", ""),
        ("nginx version: openresty/1.25.3 --with-http_v2_module", ""),
        ("", ""),
    ],
)
def test_how_http2_is_turned_on(said: str, how: str) -> None:
    assert http2_of(said) == how
    listener = ListenerRoute("0.0.0.0:443", ("www",), tls=True)
    secure = Routes((listener,), {"www": replace(SITE, certificate="c")}, ROUTES.links)
    text = render(secure, replace(HOST, http2=how))
    assert ("ssl http2;" in text, "http2 on;" in text) == (how == "parameter", how == "directive")


def test_what_many_sites_share_is_there_once() -> None:
    sites = {f"s{n}": replace(SITE, server_name=f"s{n}.example.org", aliases=()) for n in range(2000)}
    text = render(Routes((ListenerRoute("0.0.0.0:80", tuple(sites)),), sites, ROUTES.links), HOST)
    assert text.count("server {") == 2000
    assert text.count("map $uri ") == 1
