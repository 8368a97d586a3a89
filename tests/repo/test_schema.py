"""The JSON Schema: fresh, valid, agreeing with the loader, and understood by programs that are not ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tools.generate import contents
from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS, load
from wsgigroups.config.codes import CODES
from wsgigroups.config.codes.page import example_document
from wsgigroups.config.kinds import read_percent
from wsgigroups.config.units import parse_bytes, parse_duration

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schemas" / "groups.schema.json"
SAMPLES = sorted(path for path in (ROOT / "sample-configs").rglob("*") if path.suffix in (".toml", ".yaml"))
BIN = Path(sys.executable).parent

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads(SCHEMA.read_text())


@pytest.fixture(scope="module")
def validator(schema: Any) -> jsonschema.Draft202012Validator:
    """One for all documents: to look at the whole schema before each takes a quarter of a second."""
    return jsonschema.Draft202012Validator(schema)


GENERATED = contents()


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_fresh(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name], "run `make schemas`"


def test_no_page_is_left_behind() -> None:
    pages = {f"docs/diagnostics/{path.name}" for path in (ROOT / "docs" / "diagnostics").iterdir()}
    assert pages == {name for name in GENERATED if name.startswith("docs/diagnostics/")}


def test_the_schema_is_valid(schema: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_option_is_described(schema: Any) -> None:
    properties = schema["$defs"]["group"]["properties"]
    rollout = schema["$defs"]["rollout"]["properties"]
    assert set(properties) == {*OPTIONS, "rollout", "kubernetes"}
    assert set(rollout) == set(ROLLOUT_OPTIONS)
    properties = {**properties, **rollout}
    for name, option in (*OPTIONS.items(), *ROLLOUT_OPTIONS.items()):
        entry = properties[name]
        assert entry["description"].startswith(option.doc)
        assert entry["examples"] == [option.example]
        assert entry["x-effect"] == option.effect_text
        assert entry.get("x-unit") == option.unit
        if option.kind == "duration":
            assert parse_duration(entry["default"]) == option.default
        elif option.kind == "bytes":
            assert parse_bytes(entry["default"]) == option.default
        elif option.kind == "percent":
            assert read_percent(entry["default"]) == option.default
        elif option.default not in (None, (), {}):
            assert entry["default"] == option.default
        else:
            assert "default" not in entry
        if option.kind == "integer":
            assert (entry["minimum"], entry["maximum"]) == (option.minimum, option.maximum)


def document(**options: Any) -> dict[str, Any]:
    return {"version": 1, "groups": {"blog": {"app": "a:b", "listen": ["127.0.0.1:1"], **options}}}


@pytest.mark.parametrize("name", ROLLOUT_OPTIONS)
def test_examples_and_defaults_of_a_rollout_are_accepted(
    schema: Any, validator: jsonschema.Draft202012Validator, name: str
) -> None:
    for value in (ROLLOUT_OPTIONS[name].example, schema["$defs"]["rollout"]["properties"][name].get("default")):
        if value is not None:
            validator.validate({"version": 1, "defaults": {"rollout": {name: value}}})


@pytest.mark.parametrize("name", OPTIONS)
def test_examples_and_defaults_are_accepted(schema: Any, validator: jsonschema.Draft202012Validator, name: str) -> None:
    option = OPTIONS[name]
    validator.validate({"version": 1, "defaults": {name: option.example}})
    default = schema["$defs"]["group"]["properties"][name].get("default")
    if default is not None:
        validator.validate({"version": 1, "defaults": {name: default}})


@pytest.mark.parametrize(
    "options",
    [
        {"thread": 1},
        {"threads": "5"},
        {"threads": 0},
        {"threads": 2000},
        {"threads": 1.5},
        {"request-timeout": "1 minute"},
        {"request-timeout": ""},
        {"request-timeout": -1},
        {"memory-limit": "512MB"},
        {"memory-limit": 1.5},
        {"user": "root"},
        {"user": "0"},
        {"user": "#0"},
        {"group": "#00"},
        {"supplementary-groups": ["web", "root"]},
        {"umask": 27},
        {"umask": "0088"},
        {"load": "later"},
        {"listen": ["8000"]},
        {"listen": "127.0.0.1:8000"},
        {"listen": ["127.0.0.1:8000", "127.0.0.1:8000"]},
        {"environment": {"A": 1}},
        {"environment": {"1": "a"}},
        {"app": "blog"},
        {"script": "/x.wsgi"},
        {"script-user": "a", "script-group": "b"},
        {"home": "~/x"},
    ],
    ids=str,
)
def test_what_is_wrong_by_itself_is_underlined(
    validator: jsonschema.Draft202012Validator, options: dict[str, Any], tmp_path: Path
) -> None:
    """An editor sees it; and the loader refuses it too."""
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document(**options))
    path = tmp_path / "groups.yaml"
    path.write_text(json.dumps(document(**options)))
    assert load([path]).configuration is None


def test_units_are_patterns(schema: Any) -> None:
    """Any engine can run them: nothing looks around."""
    for kind in ("duration", "bytes"):
        pattern = schema["$defs"][kind]["anyOf"][1]["pattern"]
        assert "(?=" not in pattern
        assert "(?!" not in pattern
    duration = re.compile(schema["$defs"]["duration"]["anyOf"][1]["pattern"])
    for text in ("90s", "1h30m", "250ms", "1.5s", "60", "1d"):
        assert duration.match(text)
        parse_duration(text)
    for text in ("1m1h", "1 s", "s", "-1s"):
        assert not duration.match(text)


@pytest.mark.parametrize("code", [code for code, entry in CODES.items() if code.startswith("WG03") and entry.example])
def test_the_schema_never_accepts_less_than_the_loader(validator: jsonschema.Draft202012Validator, code: str) -> None:
    """Examples of wrong values: where the schema says nothing, validate does."""
    data = tomllib.loads(example_document(CODES[code]))
    errors = list(validator.iter_errors(data))
    semantic = {"WG0307", "WG0314", "WG0315", "WG0316", "WG0317", "WG0320"}
    assert errors or code in semantic


def test_check_jsonschema_accepts_all_samples() -> None:
    for arguments in (["--check-metaschema", str(SCHEMA)], ["--schemafile", str(SCHEMA), *map(str, SAMPLES)]):
        done = subprocess.run([BIN / "check-jsonschema", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_toml_tool_accepts_all_samples_and_underlines_mistakes(tmp_path: Path) -> None:
    """taplo, the checker behind editors' TOML support."""
    taplo = [str(BIN / "taplo"), "lint", "--schema", SCHEMA.as_uri()]
    files = [str(path) for path in SAMPLES if path.suffix == ".toml"]
    done = subprocess.run([*taplo, *files], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    wrong = tmp_path / "groups.toml"
    wrong.write_text('version = 1\n[groups.blog]\napp = "a:b"\nthreads = "5"\nbogus = 1\n')
    done = subprocess.run([*taplo, str(wrong)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode != 0
    assert '"5" is not of type "integer"' in done.stderr
    assert "'bogus' was unexpected" in done.stderr


def test_the_command_prints_it() -> None:
    done = subprocess.run([sys.executable, "-m", "wsgigroups", "schema"], capture_output=True, text=True, check=True)
    assert done.stdout == SCHEMA.read_text()
