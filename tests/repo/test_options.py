"""The decided table of options against models, schema, `explain` and reference: value, default and effect of each.

The table is docs/decisions/options.md. Its cells are read here, so that neither a model nor the decision can change
alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import OPTIONS, Option, schema
from wsgigroups.config.effects import Effect, When
from wsgigroups.config.units import parse_bytes, parse_duration

ROOT = Path(__file__).parents[2]
DECISION = (ROOT / "docs" / "decisions" / "options.md").read_text(encoding="utf-8")
FACTS = json.loads((ROOT / "wsgigroups/config/generated/options.json").read_text(encoding="utf-8"))["groups.NAME"]
SCHEMA = json.loads((ROOT / "schemas" / "groups.schema.json").read_text(encoding="utf-8"))["$defs"]["group"]
REFERENCE = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """One option as it was decided: cells as they are written."""

    value: str
    default: str
    effect: str


def rows(heading: str) -> dict[str, Row]:
    """The table below a heading; a row for several options is one for each."""
    section = DECISION.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found: dict[str, Row] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or cells[0] == "option":
            continue
        name, value, default, effect = cells
        names = re.split(r" / |, ", name)
        effects = effect.split("/") if len(names) == effect.count("/") + 1 > 1 else [effect] * len(names)
        for each, own in zip(names, effects, strict=True):
            assert each not in found
            found[each] = Row(value, default, own)
    return found


DIRECTIVE = rows("Options of WSGIDaemonProcess")
OTHERS = rows("Options that the directive does not have")
TABLE = {**DIRECTIVE, **OTHERS}
# three options that mod_wsgi 6 has got, in one row of the table: their values are said elsewhere
NEWER = {
    "server-metrics": ("boolean", False),
    "switch-interval": ("duration", 0.0),
    "response-flush-delay": ("duration", 0.0),
}


@cache
def added_bounds() -> dict[str, int]:
    """Bounds that the table does not have: option → bound, from the paragraph behind it."""
    units = {"MiB": 2**20, "GiB": 2**30, "s": 1}
    text = re.search(r"\nLower bounds that .*?(?=\n\n)", DECISION, re.DOTALL)
    assert text
    found: dict[str, int] = {}
    for names, number, power, unit in re.findall(
        r"((?:`[\w-]+`(?:, | and )?)+) (\d+)(?:\^(\d+))?(?: (MiB|GiB|s)\b)?", re.sub(r"\s+", " ", text[0])
    ):
        for name in re.findall(r"`([\w-]+)`", names):
            found[name] = int(number) ** int(power or 1) * units.get(unit, 1)
    return found


def test_every_option_is_decided_once() -> None:
    assert set(TABLE) == set(OPTIONS)
    assert not set(DIRECTIVE) & set(OTHERS)
    extensions = {name for name, option in OPTIONS.items() if option.extension}
    assert extensions == {*OTHERS, *NEWER, "interrupt-timeout"}
    assert len(DIRECTIVE) == 44, "the documentation's options, and those of mod_wsgi 6"


KINDS: list[tuple[str, set[str]]] = [
    (r"(0 or )?≥ \d+|[−\d]+ … \d+", {"integer", "bytes"}),
    (r"≥ 1, or `auto`", {"process-count"}),
    (r"above 0, up to 1", {"fraction"}),
    (r"text", {"text"}),
    (r"(absolute )?dir|file", {"path", "log"}),
    (r"name, `#u?g?id`", {"user", "ordinary-user"}),
    (r"list, or comma text", {"group-names"}),
    (r"list of users, `@groups`", {"operators"}),
    (r"list, or colon text|list of (files|paths)", {"paths"}),
    (r"quoted octal text .*", {"umask"}),
    (r"locale name", {"locale"}),
    (r"s( of CPU)?", {"duration"}),
    (r"bytes( ≥ .*)?", {"bytes"}),
    (r"per cent", {"percent"}),
    (r"`package\.module:callable`", {"callable"}),
    (r"name of a variable", {"identifier"}),
    (r"`[\w-]+`.* or `[\w-]+`", {"choice"}),
    (r"true or false", {"boolean"}),
    (r"true, false or `wait`", {"reloading"}),
    (r"list of addresses", {"addresses"}),
    (r"list of networks", {"networks"}),
    (r"list of names, ~ .*", {"system-calls", "address-families", "namespaces"}),
    (r"table of names and texts", {"environment"}),
]


@pytest.mark.parametrize("name", TABLE)
def test_values(name: str) -> None:
    option, cell = OPTIONS[name], TABLE[name].value
    if name in NEWER:
        assert cell == "as mod_wsgi 6"
        assert option.kind == NEWER[name][0]
        return
    (kinds,) = [kinds for pattern, kinds in KINDS if re.fullmatch(pattern, cell)]
    assert option.kind in kinds
    if option.kind == "choice":
        assert list(option.choices) == re.findall(r"`([\w-]+)`", cell)
    low, high = bounds(cell)
    assert option.minimum == (added_bounds().get(name) if low is None else low)
    if option.kind in ("integer", "bytes") and (option.maximum is not None or high is not None):
        assert option.maximum == (added_bounds()[name] if high is None else high)
    # 0 is no number below the bound but stands for "off"; where both bounds are decided there is no "off"
    measured = option.kind in ("bytes", "duration")
    assert option.zero_allowed == (measured and option.minimum is not None and " … " not in cell)


def bounds(cell: str) -> tuple[int | None, int | None]:
    """The least and the largest value that a cell names."""
    text = cell.replace("−", "-").replace(" KiB", "*1024")
    both = re.fullmatch(r"(-?\d+) … (-?\d+)", text)
    if both:
        return int(both[1]), int(both[2])
    least = re.search(r"≥ (\d+)(\*1024)?", text)
    return (int(least[1]) * (1024 if least[2] else 1) if least else None), None


@pytest.mark.parametrize("name", TABLE)
def test_defaults(name: str) -> None:
    option, cell = OPTIONS[name], TABLE[name].default
    number = re.fullmatch(r"\d+(?:\.\d+)?|\[server\] timeout \((\d+)\)", cell)
    if name in NEWER:
        assert (option.default, type(option.default)) == (NEWER[name][1], type(NEWER[name][1]))
    elif number:
        assert option.default == float(number[1] or number[0])
    elif cell in ("true", "false"):
        assert option.default is (cell == "true")
    elif option.kind in ("choice", "identifier"):
        assert option.default == cell
    else:
        assert option.default in (None, (), {}, 0.0), "no value of its own: something else holds"
        assert option.default_text, "and the reference says what"
    said = f"{option.default_text} {option.default}"
    # whatever the cell refers to has to stand in the sentence that people read
    for word in re.findall(r"\[server\]|`user`|[a-z]+-timeout|inherit|cwd|primary group|group's site|gateway", cell):
        assert {"`user`": "user", "cwd": "working directory"}.get(word, word) in said, word


LETTERS = {"R": Effect.REPLACE, "B": Effect.REBIND, "L": Effect.LIVE, "–": Effect.NONE}


def effects(cell: str) -> tuple[Effect, dict[When, Effect]]:
    """The effect of the usual change, and of those that have another one."""
    both = re.fullmatch(r"(.) down/(.) up", cell)
    if both:
        return LETTERS[both[1]], {When.RAISED: LETTERS[both[2]]}
    written = re.fullmatch(r"(.) \(scale\); (.) when written ↔ omitted", cell)
    if written:
        return LETTERS[written[1]], {When.WRITTEN: LETTERS[written[2]]}
    return LETTERS[cell], {}


@pytest.mark.parametrize("name", TABLE)
def test_effects(name: str) -> None:
    option = OPTIONS[name]
    assert (option.effect, dict(option.otherwise)) == effects(TABLE[name].effect)
    assert option.effect_reason


def test_effects_of_both_directions_are_read() -> None:
    """So that the test above cannot pass by reading nothing."""
    assert effects(TABLE["memory-limit"].effect) == (Effect.LIVE, {When.RAISED: Effect.REPLACE})
    assert effects(TABLE["processes"].effect) == (Effect.LIVE, {When.WRITTEN: Effect.REPLACE})
    assert sum(bool(option.otherwise) for option in OPTIONS.values()) == 8


def written(option: Option, value: Any) -> Any:
    """What schema and `explain` give as default, as the model has it."""
    if option.kind == "duration":
        return parse_duration(value)
    return parse_bytes(value) if option.kind == "bytes" else value


@pytest.mark.parametrize("name", TABLE)
def test_the_schema_says_the_same(name: str) -> None:
    option, entry = OPTIONS[name], SCHEMA["properties"][name]
    said = option.effect_text
    assert entry["x-effect"] == said
    assert entry["description"].endswith(f"Effect of a change: {said}.")
    if option.default in (None, (), {}):
        assert "default" not in entry
    else:
        assert written(option, entry["default"]) == option.default
    kind = {} if option.kind == "choice" else schema.KINDS[option.kind]
    assert {key: entry[key] for key in kind if key != "description"} == {
        key: value for key, value in kind.items() if key != "description"
    }
    assert kind.get("description", "") in entry["description"]
    for shown in (option.doc, f"default: {schema.default_text(option)}", f"effect of a change: {said}"):
        assert shown in entry["markdownDescription"]
    if option.kind == "integer":
        assert (entry["minimum"], entry["maximum"]) == (option.minimum, option.maximum)


@pytest.mark.parametrize("name", TABLE)
def test_explain_says_the_same(name: str) -> None:
    option, facts = OPTIONS[name], FACTS[name]
    assert (facts["doc"], facts["unit"], facts["extension"]) == (option.doc, option.unit, option.extension)
    assert (facts["effect"], facts["effect-text"]) == (option.effect.value, option.effect_text)
    assert facts["effect-otherwise"] == {when.value: effect.value for when, effect in option.otherwise.items()}
    if option.default in (None, (), {}):
        assert facts["default-value"] is None
    else:
        assert written(option, facts["default-value"]) == option.default


@pytest.mark.parametrize("name", TABLE)
def test_the_reference_says_the_same(name: str) -> None:
    option = OPTIONS[name]
    section = re.search(rf'<a id="group-{name}"></a>\n(.*?)(?=\n<a id=|\n## |\Z)', REFERENCE, re.DOTALL)
    assert section
    assert option.doc in section[1]
    assert f"- Effect of a change: {option.effect_text} ({option.effect_reason})\n" in section[1]
    assert f"- Default: {FACTS[name]['default']}\n" in section[1]
    assert f"- Value: {FACTS[name]['value']}\n" in section[1]
    assert ("- Extension" in section[1]) == option.extension
    if option.minimum is not None and option.kind == "integer":
        assert f"from {option.minimum} to {option.maximum}" in section[1]
    cells = re.search(rf"^\| \[`{name}`\]\(#group-{name}\) \| (.*) \| (.*) \| (.*) \|$", REFERENCE, re.MULTILINE)
    assert cells
    assert cells.groups() == (FACTS[name]["value"].replace("|", "\\|"), FACTS[name]["default"], option.effect_text)
