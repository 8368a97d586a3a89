"""What the gateway answers in its own name."""

from __future__ import annotations

import pytest

from wsgigroups.runtime.gateway.pages import hsts, page, to_https
from wsgigroups.runtime.wire.routes import SiteRoute

SITE = SiteRoute(
    "www.example.org",
    ("example.org", "*.tenants.example.org"),
    error_pages={502: "<p>Back soon – é</p>"},
    hsts_s=31536000,
)


def test_a_line_of_text() -> None:
    fields, body = page(None, 404)
    assert body == b"404 Not Found\n"
    assert fields == [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "14"),
        ("Cache-Control", "no-store"),
    ]
    assert page(SITE, 404) == (fields, body)


def test_the_page_of_a_site() -> None:
    fields, body = page(SITE, 502, request_id="abc")
    assert body == "<p>Back soon – é</p>".encode()
    assert dict(fields) == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Request-ID": "abc",
    }


def test_who_was_turned_away_may_come_again() -> None:
    assert dict(page(SITE, 503)[0])["Retry-After"] == "5"


def test_who_asks_can_name_the_request() -> None:
    assert page(None, 503, request_id="abc")[1] == b"503 Service Unavailable\nrequest abc\n"
    assert page(None, 400, request_id="abc")[1] == b"400 Bad Request\n"
    assert page(None, 599)[1] == b"599 Error\n"
    assert page(None, 404, "Nothing Here")[1] == b"404 Nothing Here\n"


def test_a_redirection_may_be_kept() -> None:
    assert "Cache-Control" not in dict(page(SITE, 301)[0])


@pytest.mark.parametrize(
    ("host", "target", "location"),
    [
        ("www.example.org", "/a?b=c", "https://www.example.org/a?b=c"),
        ("WWW.example.org:80", "/", "https://www.example.org/"),
        ("example.org", "//evil.example/%0d", "https://example.org//evil.example/%0d"),
        ("x.tenants.example.org", "/", "https://x.tenants.example.org/"),
        ("tenants.example.org", "/", "https://www.example.org/"),
        (".tenants.example.org", "/", "https://www.example.org/"),
        ("evil.example", "/", "https://www.example.org/"),
        ("www.example.org.evil.example", "/", "https://www.example.org/"),
        ("www.example.org@evil.example", "/", "https://www.example.org/"),
        ("", "/", "https://www.example.org/"),
        ("[::1]", "/", "https://www.example.org/"),
        ("www.example.org", "http://www.example.org/a?b", "https://www.example.org/a?b"),
        ("www.example.org", "http://www.example.org", "https://www.example.org/"),
        ("www.example.org", "http://www.example.org?b=/", "https://www.example.org/?b=/"),
        ("www.example.org", "*", "https://www.example.org/"),
    ],
)
def test_the_way_to_https(host: str, target: str, location: str) -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": host, "REQUEST_URI": target}
    assert to_https(SITE, environ) == (301, location)


def test_the_way_to_https_keeps_method_and_port() -> None:
    environ = {"REQUEST_METHOD": "POST", "HTTP_HOST": "example.org", "REQUEST_URI": "/a"}
    assert to_https(SITE, environ, 8443) == (308, "https://example.org:8443/a")
    assert to_https(SITE, {"REQUEST_METHOD": "HEAD"}) == (301, "https://www.example.org/")


def test_hsts_is_for_https_alone() -> None:
    assert hsts(SITE, secure=True) == [("Strict-Transport-Security", "max-age=31536000")]
    assert hsts(SITE, secure=False) == hsts(None, secure=True) == hsts(SiteRoute("a.org"), secure=True) == []
