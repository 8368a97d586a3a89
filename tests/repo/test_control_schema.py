"""The committed OpenAPI file is what the routes say; every route has a handler; readers change nothing."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import wsgigroups
from wsgigroups.manager.control.routes import ROUTES, Access, openapi

SCHEMA = Path(__file__).parents[2] / "schemas" / "control.openapi.json"


def test_the_committed_file_is_fresh() -> None:
    assert json.loads(SCHEMA.read_text()) == openapi(wsgigroups.__version__), "run `make schemas`"


def test_what_changes_something_is_for_administrators() -> None:
    for route in ROUTES:
        reads = route.method == "GET" or route.handler == "plan"
        assert (route.access is Access.READ) == reads, route


def test_every_route_has_a_coroutine() -> None:
    from wsgigroups.manager.control.handlers import Handlers

    for route in ROUTES:
        assert inspect.iscoroutinefunction(getattr(Handlers, route.handler)), route.handler
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
