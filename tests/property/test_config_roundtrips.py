"""TOML, YAML, models, the plain form and `config show` say the same of any configuration."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML
from support.configurations import messages
from support.documents import documents

from wsgigroups.config import Configuration, Loaded, load
from wsgigroups.config.show import as_data, as_toml, blocks, toml_text, toml_value


def as_toml_text(document: dict[str, Any]) -> str:
    """Plain data as TOML, written in the simplest way: one inline table per section."""
    return "".join(f"{toml_text(key)} = {toml_value(value)}\n" for key, value in document.items())


def as_yaml_text(document: dict[str, Any]) -> str:
    """Plain data as YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roundtrips")


def loaded_from(directory: Path, text: str, suffix: str) -> Loaded:
    path = directory / f"groups{suffix}"
    path.write_text(text, encoding="utf-8")
    return load([path], variables={})


FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@FEW
@given(document=documents())
def test_toml_yaml_and_the_plain_form_are_equal(directory: Path, document: dict[str, Any]) -> None:
    toml = loaded_from(directory, as_toml_text(document), ".toml")
    yaml = loaded_from(directory, as_yaml_text(document), ".yaml")
    assert toml.configuration, messages(toml)
    assert yaml.configuration == toml.configuration, messages(yaml)
    assert [(item.code, item.message, item.option) for item in yaml.diagnostics] == [
        (item.code, item.message, item.option) for item in toml.diagnostics
    ] or sorted(item.code for item in yaml.diagnostics) == sorted(item.code for item in toml.diagnostics)
    plain = toml.configuration.to_document()
    assert Configuration.from_document(json.loads(json.dumps(plain))) == toml.configuration
    assert Configuration.from_document(plain).to_document() == plain


@FEW
@given(document=documents())
def test_what_show_prints_is_the_same_configuration(directory: Path, document: dict[str, Any]) -> None:
    first = loaded_from(directory, as_toml_text(document), ".toml")
    assert first.configuration, messages(first)
    found = list(blocks(first.configuration, first.composed, defaults=False))
    toml = loaded_from(directory, as_toml(found), ".toml")
    assert toml.configuration == first.configuration, messages(toml)
    yaml = loaded_from(directory, as_yaml_text(as_data(found, escape=True)), ".yaml")
    assert yaml.configuration == first.configuration, messages(yaml)


@FEW
@given(document=documents())
def test_every_value_has_an_origin_in_its_file(directory: Path, document: dict[str, Any]) -> None:
    text = as_toml_text(document)
    loaded = loaded_from(directory, text, ".toml")
    assert loaded.composed
    for name, group in document["groups"].items():
        for key in group:
            origin = loaded.composed.origin(("groups", name, key))
            assert origin
            span = origin.span(key=True)
            assert span
            line = text.split("\n")[span.line - 1]
            assert line[span.column - 1 : span.end_column - 1] == key
