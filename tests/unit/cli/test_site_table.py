"""Sites in the status: what leads where, and which certificates end."""

from __future__ import annotations

from typing import Any, cast

import pytest
from rich.console import Console

from wsgigroups.cli.site_table import MOST_SITES, site_parts


def shown(sites: list[dict[str, Any]], certificates: list[dict[str, Any]], width: int = 120, orders: Any = ()) -> str:
    listeners = [{"address": "0.0.0.0:443", "tls": True, "sites": []}]
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        gateway = {"listeners": listeners, "sites": sites, "certificates": certificates, "orders": orders}
        for part in site_parts(cast("Any", gateway)):
            console.print(part)
    return captured.get()


def site(name: str, **changes: Any) -> dict[str, Any]:
    base = {
        "name": name, "server_name": name, "aliases": [], "listen": ["0.0.0.0:443", "0.0.0.0:80"],
        "mounts": {"/": "blog"}, "static": {"/static": "/srv/static"}, "certificate": None,
        "requests_total": 0,
    }  # fmt: skip
    return {**base, **changes}


def certificate(days: int, *sites: str) -> dict[str, Any]:
    return {"file": "/c.pem", "expires_at": "2026-12-01T00:00:00Z", "days_left": days, "sites": list(sites)}


def test_each_site_has_a_row() -> None:
    printed = shown([site("a.example.org")], [])
    assert "0.0.0.0:443 (tls) 0.0.0.0:80" in printed
    assert "/ blog, /static /srv/static" in printed
    assert "1234567" in shown([site("a.example.org", requests_total=1234567)], [])
    assert "tls ends in" not in printed
    assert "\x1b" not in shown([site("a\x1b[31m")], [])


@pytest.mark.parametrize(
    ("days", "words", "warned"),
    [
        (100, "100 days", False),
        (14, "14 days", False),
        (13, "13 days", True),
        (1, "1 day", True),
        (-1, "is over", True),
    ],
)
def test_certificates_have_their_days(days: int, words: str, warned: bool) -> None:
    printed = shown([site("a", certificate="/c.pem")], [certificate(days, "a", "b", "c", "d")])
    assert words in printed
    assert ("certificate /c.pem: " in printed) == warned
    assert ("a, b, c and 1 more has it" in printed) == warned


def test_many_sites_are_counted_and_no_line_is_too_wide() -> None:
    printed = shown([site(f"s{number}.example.org") for number in range(MOST_SITES + 7)], [certificate(100)], width=40)
    assert "and 7 more sites" in printed
    assert max(map(len, printed.splitlines())) <= 40


@pytest.mark.parametrize(("state", "error"), [("waiting", None), ("waiting", "no such name"), ("ordering", None)])
def test_a_certificate_that_is_not_there_yet_is_waited_for(state: str, error: str | None) -> None:
    order = {
        "sites": ["a"], "names": ["a", "b", "c", "d"], "state": state, "failures": 1, "error": error,
        "next_at": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    printed = shown([site("a"), site("b")], [], orders=[order])
    row = next(line for line in printed.splitlines() if line.startswith("a "))
    assert row.rstrip().endswith(state)
    told = "certificate for a, b, c and 1 more: no such name; it is tried again at 2026-12-01T00:00:00Z"
    assert (told in printed) == (error is not None)


def test_a_certificate_that_was_not_renewed_is_told() -> None:
    order = {"sites": ["a"], "names": ["a"], "state": "made", "failures": 1, "error": "no", "next_at": "x"}
    printed = shown([site("a", certificate="/c.pem")], [certificate(20, "a")], orders=[order])
    assert "20 days" in printed
    assert "certificate for a: no; it is tried again at x" in printed


@pytest.mark.parametrize(
    ("days", "error", "warned"), [(5, None, False), (5, "no", True), (-1, None, True), (20, "no", False)]
)
def test_a_short_certificate_is_no_reason_to_warn_as_long_as_it_is_renewed(
    days: int, error: str | None, warned: bool
) -> None:
    order = {"sites": ["a"], "names": ["a"], "state": "made", "failures": 0, "error": error, "next_at": "x"}
    printed = shown([site("a", certificate="/c.pem")], [certificate(days, "a")], orders=[order])
    assert ("certificate /c.pem: it end" in printed) == warned
