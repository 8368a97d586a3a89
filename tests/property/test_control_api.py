"""Whatever a caller sends as any parameter of any route: the answer is a document of its schema, and never a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.control import ControlUnderTest, Reply

from wsgigroups.config import OPTIONS
from wsgigroups.manager.control.routes import ROUTES, ControlRoute

OPENAPI = json.loads((Path(__file__).parents[2] / "schemas" / "control.openapi.json").read_text())
TOUCHES_THE_HOST = {"error-log", "listen"}  # a configuration that can be applied is applied
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["blog", "a.b:c", "/", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("blog"), inner, max_size=3),
    max_leaves=10,
)
groups = st.dictionaries(st.sampled_from(sorted(set(OPTIONS) - TOUCHES_THE_HOST)), values, max_size=4)
configurations = st.fixed_dictionaries(
    {}, optional={"version": st.just(1) | values, "groups": st.dictionaries(st.text(), groups, max_size=2) | values}
)
texts = (
    st.text() | st.integers().map(str) | st.floats().map(str) | st.sampled_from(["1", "2", "01", "1_0", "0x1", "１"])
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlUnderTest]:
    with ControlUnderTest(tmp_path_factory.mktemp("control")) as under_test:
        yield under_test


def check(reply: Reply, route: ControlRoute) -> None:
    assert reply.status < 500, reply.raw
    assert reply.content_type == "application/json"
    responses = OPENAPI["paths"][route.path][route.method.lower()]["responses"]
    described = responses.get(str(reply.status), responses["default"])
    schema = {**described["content"]["application/json"]["schema"], "components": OPENAPI["components"]}
    jsonschema.validate(reply.document, schema)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.handler)
def test_no_value_of_a_parameter_is_an_error_of_the_server(api: ControlUnderTest, route: ControlRoute) -> None:
    @given(st.data())
    def play(data: st.DataObject) -> None:
        path = route.path
        for name in route.in_path.model_fields:
            path = path.replace(f"{{{name}}}", quote(data.draw(texts, name), safe="", errors="surrogatepass") or "1")
        names = st.sampled_from([*route.query.model_fields, "x"])
        query = data.draw(st.lists(st.tuples(names, texts), max_size=3), "query")
        if query:
            path += "?" + urlencode(query, errors="surrogatepass")
        body = None
        if route.body is not None:
            body = data.draw(st.binary() | bodies(route).map(lambda value: json.dumps(value).encode()), "body")
        check(api.call(route.method, path, body), route)

    play()


def bodies(route: ControlRoute) -> st.SearchStrategy[Any]:
    assert route.body is not None
    known: dict[str, st.SearchStrategy[Any]] = {}
    for name in route.body.model_fields:
        known[name] = (configurations | values) if name == "configuration" else values
    return st.fixed_dictionaries({}, optional=known) | st.dictionaries(st.text(), values, max_size=2) | values
