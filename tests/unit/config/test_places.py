"""Where keys and values stand, in TOML and YAML alike, whatever their notation."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.config.source import Source
from wsgigroups.config.toml import parse as parse_toml
from wsgigroups.config.toml_places import Locator, find_places, unescape
from wsgigroups.config.yaml import parse as parse_yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOML = """\
# comment [not.a.table]
version = 1
"quoted key" = 'literal # no comment'
dotted.key . "more" = true   # comment
multi = \"\"\"
first = 1
\\\"\"\" still\"\"\"
literal = '''
[x]
'''
list = [ 1, # one
  "two, [", [3, {a = 4}],
]
[groups.blog]
app = "a:b"
environment = { A = "1", B.C = "2" }
date = 2026-01-02 03:04:05
[[sites."www.example.org".mounts]]
path = "/"
[[sites."www.example.org".mounts]]
path = "/b"
[sites."www.example.org".mounts.inner]
x = -0.5e3
"""


def shown(source: Source, path: tuple[Any, ...], *, key: bool = False) -> str:
    """The text that a span covers."""
    span = source.locate(path, key=key)
    assert span
    lines = source.text.split("\n")
    if span.line == span.end_line:
        return lines[span.line - 1][span.column - 1 : span.end_column - 1]
    return lines[span.line - 1][span.column - 1 :] + " … " + lines[span.end_line - 1][: span.end_column - 1]


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("version",), "version", "1"),
        (("quoted key",), '"quoted key"', "'literal # no comment'"),
        (("dotted", "key", "more"), '"more"', "true"),
        (("dotted", "key"), "key", "key"),
        (("multi",), "multi", '""" … \\""" still"""'),
        (("literal",), "literal", "''' … '''"),
        (("list",), "list", "[ 1, # one … ]"),
        (("list", 0), "1", "1"),
        (("list", 1), '"two, ["', '"two, ["'),
        (("list", 2, 1, "a"), "a", "4"),
        (("groups", "blog"), "blog", "[groups.blog]"),
        (("groups", "blog", "environment", "A"), "A", '"1"'),
        (("groups", "blog", "environment", "B", "C"), "C", '"2"'),
        (("groups", "blog", "date"), "date", "2026-01-02 03:04:05"),
        (("sites", "www.example.org", "mounts", 1, "path"), "path", '"/b"'),
        (("sites", "www.example.org", "mounts", 1, "inner", "x"), "x", "-0.5e3"),
    ],
)
def test_places_in_toml(path: tuple[Any, ...], key: str, value: str) -> None:
    source, found = parse_toml("x.toml", "/", TOML)
    assert not found
    data: Any = source.data
    for part in path:
        data = data[part]
    assert shown(source, path, key=True) == key
    assert shown(source, path) == value


YAML = """\
version: 1   # comment
"quoted key": 'text'
block: |
  first
  second
list: [1, "two", {a: 4}]
groups:
  blog: &blog
    app: a:b
    environment:
      A: "1"
  wiki: *blog
nothing:
"""


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("version",), "version", "1"),
        (("quoted key",), '"quoted key"', "'text'"),
        (("block",), "block", "| …   second"),
        (("list",), "list", '[1, "two", {a: 4}]'),
        (("list", 2, "a"), "a", "4"),
        (("groups", "blog", "environment", "A"), "A", '"1"'),
        (("groups", "wiki"), "wiki", "*blog"),
        (("groups", "wiki", "app"), "wiki", "wiki"),
        (("nothing",), "nothing", "nothing"),
    ],
)
def test_places_in_yaml(path: tuple[Any, ...], key: str, value: str) -> None:
    source, found = parse_yaml("x.yaml", "/", YAML)
    assert not found
    assert shown(source, path, key=True) == key
    assert shown(source, path) == value


def test_what_is_not_written_is_located_at_what_is_above_it() -> None:
    source, _found = parse_toml("x.toml", "/", TOML)
    assert shown(source, ("groups", "blog", "threads")) == "blog"
    assert shown(source, ("groups", "blog", "app", 3)) == '"a:b"', "an item of a text is in the text"
    assert source.locate(("nothing",)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("+12", 12),
        ("null", None),
        ("~", None),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("2026-01-01", "2026-01-01"),
        ("<<", "<<"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("! 5", "5"),
        ("'true'", "true"),
    ],
)
def test_yaml_means_what_version_1_2_says(text: str, value: object) -> None:
    """YAML 1.2.2 section 10.3.2; other readers make booleans, sexagesimals or dates of some of these."""
    source, found = parse_yaml("x.yaml", "/", f"a: {text}\n")
    assert not found
    assert (source.data["a"], type(source.data["a"])) == (value, type(value))


def test_keys_are_text_as_they_are_written() -> None:
    source, _found = parse_yaml("x.yaml", "/", "010: 1\ntrue: 2\nnull: 3\n1.0: 4\n")
    assert source.data == {"010": 1, "true": 2, "null": 3, "1.0": 4}


def test_aliases_are_allowed_within_bounds() -> None:
    source, found = parse_yaml("x.yaml", "/", "a: &a [1, 2]\nb: [*a, *a]\n")
    assert not found
    assert source.data["b"] == [[1, 2], [1, 2]]


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Any:
    """Paths and values of everything that is no table or list."""
    if isinstance(data, dict):
        for key, item in data.items():
            yield from leaves(item, (*path, key))
    elif isinstance(data, list):
        for i, item in enumerate(data):
            yield from leaves(item, (*path, i))
    else:
        yield path, data


@given(st.text(max_size=300))
def test_the_locator_never_raises(text: str) -> None:
    Locator(text)


FRAGMENTS = st.sampled_from(
    [
        "[a]\n",
        "[[b]]\n",
        "[a.c]\n",
        "x = 1\n",
        'y = "z"\n',
        "l = [1, [2, 3]]\n",
        "t = { p = 1, q.r = 2 }\n",
        "# c\n",
        "m = '''\nx = 1\n'''\n",
        'n = """a\\"b"""\n',
        "d.e = true\n",
        "'k k' = 1.5\n",
        "\n",
        "  o = 1979-05-27T07:32:00Z\n",
    ]
)


@given(st.lists(FRAGMENTS, max_size=12))
def test_every_value_that_tomllib_reads_is_found(fragments: list[str]) -> None:
    text = "".join(fragments)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    places = find_places(text)
    for path, value in leaves(data):
        place = places[path]
        written = text[place.value_start : place.value_end]
        assert tomllib.loads(f"v = {written}")["v"] == value


@given(st.text(max_size=40))
def test_escapes_are_read_as_tomllib_reads_them(text: str) -> None:
    quoted = '"' + text.replace("\n", "") + '"'
    try:
        value = tomllib.loads(f"v = {quoted}")["v"]
    except (tomllib.TOMLDecodeError, UnicodeEncodeError):
        return
    if isinstance(value, str) and quoted.count('"') - quoted.count('\\"') == 2:
        assert unescape(quoted) == value
