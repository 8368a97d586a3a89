"""Which requests are looked at at all."""

from __future__ import annotations

import pytest

from wsgigroups.web.guarding import HEADERS, is_served, refusal


@pytest.mark.parametrize(
    ("host", "served"),
    [
        *((host, True) for host in ("127.0.0.1:9000", "127.0.0.1", "127.9.8.7:1", "[::1]:9000", "localhost:8080")),
        *((host, True) for host in ("LOCALHOST:9000",)),
        *((host, False) for host in ("", "evil.example:9000", "127.0.0.1.evil.example:9000", "10.0.0.7:9000")),
        *((host, False) for host in ("localhost.evil.example", "evil.localhost:9000", "0.0.0.0:9000", "[::]:9000")),
        *((host, False) for host in ("user@127.0.0.1:9000", "127.0.0.1:9000, evil.example", "127.0.0.1:", "[::1")),
        *((host, False) for host in ("127.1:9000", "2130706433", "127.0.0.1:9000\n", "[::ffff:10.0.0.7]:1")),
    ],
)
def test_names_that_somebody_could_own_are_not_served(host: str, served: bool) -> None:
    assert is_served(host) is served


HOST = "127.0.0.1:9000"
OWN = f"http://{HOST}"


@pytest.mark.parametrize(
    ("method", "origin", "site", "is_file", "status"),
    [
        ("GET", "", "", False, None),
        ("GET", "", "same-origin", False, None),
        ("GET", "", "none", False, None),
        ("POST", OWN, "same-origin", False, None),
        ("POST", OWN, "", False, None),  # a browser of before Sec-Fetch-Site
        ("DELETE", OWN, "same-origin", False, None),
        ("GET", "", "cross-site", True, None),  # a link in some mail leads here
        ("GET", "", "cross-site", False, 403),
        ("GET", "", "same-site", False, 403),  # an application at another port
        ("POST", "", "same-origin", False, 403),
        ("POST", "null", "", False, 403),
        ("POST", "http://127.0.0.1:8000", "same-site", False, 403),
        ("POST", "https://127.0.0.1:9000", "", False, 403),
        ("POST", "http://evil.example", "cross-site", False, 403),
        ("GET", "http://evil.example", "", True, 403),
        ("DELETE", "", "", False, 403),
        ("POST", "", "", True, 403),
    ],
)
def test_pages_of_others_ask_nothing(method: str, origin: str, site: str, is_file: bool, status: int | None) -> None:
    refused = refusal(method, HOST, origin, site, is_file=is_file)
    assert (refused[0] if refused else None) == status


def test_another_name_is_misdirected() -> None:
    refused = refusal("GET", "evil.example:9000", "http://evil.example:9000", "same-origin", is_file=True)
    assert refused is not None
    assert refused[0] == 421


def test_nothing_is_allowed_that_the_page_does_not_need() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "require-trusted-types-for 'script'" in policy
