"""What fronts go by that ask groups over HTTP: where these are asked, and which fields no client may say."""

from __future__ import annotations

from typing import Any

import pytest
from support.rendering import CONTEXT

from wsgigroups.config import Configuration
from wsgigroups.interop.renderers.fronts import FORWARDING, FORWARDING_PREFIXES, address_of, sites_of_front
from wsgigroups.runtime.protocol import names

SITE: dict[str, Any] = {"listen": ["127.0.0.1:80"], "process-group": "a", "mounts": [{"path": "/"}]}


def key(field: str) -> str:
    """The key of a field in an environ."""
    return "HTTP_" + field.upper().replace("-", "_")


def test_all_that_a_daemon_believes_of_a_front_alone_is_known() -> None:
    found = {key(name) for name in FORWARDING}
    assert found >= names.FORWARDING
    assert all(names.is_forwarding(name) or name == "HTTP_X_REQUEST_ID" for name in found)
    assert "HTTP_X_REQUEST_ID" in found
    assert {key(prefix) for prefix in FORWARDING_PREFIXES} == set(vars(names)["_FORWARDING_PREFIXES"])


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ([], None),
        (["127.0.0.1:8000"], "127.0.0.1:8000"),
        (["127.0.0.1:8000", "unix:/run/a.sock"], "unix:/run/a.sock"),
        (["0.0.0.0:8000", "192.0.2.1:8001"], "127.0.0.1:8000"),
        (["[::]:8000"], "[::1]:8000"),
    ],
)
def test_where_a_group_is_asked(listen: list[str], asked: str | None) -> None:
    found = Configuration.from_document({"version": 1, "groups": {"a": {"app": "a:b", "listen": listen}}})
    address = address_of(found.groups["a"])
    assert (None if address is None else str(address)) == asked


def test_pages_that_nobody_has_read_are_no_obstacle() -> None:
    group = {"app": "a:b", "listen": ["127.0.0.1:8000"]}
    site = {**SITE, "error-pages": {"502": "/srv/502.html"}}
    found = Configuration.from_document({"version": 1, "groups": {"a": group}, "sites": {"www.example.org": site}})
    sites = sites_of_front(found, CONTEXT)
    assert list(sites.groups) == list(sites.addresses) == list(sites.deadlines) == ["a"]
