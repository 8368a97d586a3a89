"""The committed OpenAPI file is what the table of routes says; every route has a handler of its types; readers read."""

from __future__ import annotations

import inspect
import json
import typing
from pathlib import Path

import pytest

import wsgigroups
from wsgigroups.manager.control.handlers import Call, Handlers
from wsgigroups.manager.control.openapi import openapi
from wsgigroups.manager.control.requests import NoParameters
from wsgigroups.manager.control.routes import ROUTES, Access, ControlRoute

SCHEMA = Path(__file__).parents[2] / "schemas" / "control.openapi.json"
DOCUMENT = json.loads(SCHEMA.read_text())
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.handler)


def test_the_committed_file_is_fresh() -> None:
    assert openapi(wsgigroups.__version__) == DOCUMENT, "run `make schemas`"


@each_route
def test_what_changes_something_is_for_administrators(route: ControlRoute) -> None:
    # to plan opens what the configuration names; the configuration itself has secrets; logs are their owners'
    reads = route.method == "GET" and route.handler not in ("configuration", "log")
    assert (route.access is Access.READ) == reads


@each_route
def test_every_route_has_a_coroutine_that_takes_and_gives_its_types(route: ControlRoute) -> None:
    function = getattr(Handlers, route.handler)
    assert inspect.iscoroutinefunction(function)
    hints = typing.get_type_hints(function)
    answer = hints.pop("return")
    (call,) = hints.values()
    assert call == Call[route.in_path, route.query, route.body or NoParameters]
    assert answer is route.answer


def test_no_route_is_there_twice() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@each_route
def test_every_answer_and_every_parameter_has_a_schema(route: ControlRoute) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    named = [response["content"]["application/json"]["schema"]["$ref"] for response in operation["responses"].values()]
    if route.body:
        named.append(operation["requestBody"]["content"]["application/json"]["schema"]["$ref"])
    for reference in named:
        schema = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
    for parameter in operation.get("parameters", []):
        assert "type" in parameter["schema"]
    in_path = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
    assert in_path == {part[1:-1] for part in route.path.split("/") if part.startswith("{")}
