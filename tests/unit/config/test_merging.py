"""YAML's merge keys, and keys that begin with x-; and mistakes beside keys that are set twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config import load
from wsgigroups.config.yaml import parse

COMMON = 'version: 1\nx-common: &common\n  threads: 5\n  app: "a:b"\n'


def read(text: str) -> object:
    source, found = parse("x.yaml", "/", text)
    assert not found, found
    return source.data


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", {"y": 3, "x": 1}),
        ("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\n", {"y": 3, "x": 1}),
        ("a: [&a {x: 1, y: 2}, &c {x: 5, z: 6}]\nb: {<<: [*a, *c]}\n", {"x": 1, "y": 2, "z": 6}),
        ("b: {<<: {x: 1}, y: 2}\n", {"y": 2, "x": 1}),
        ("b: {'<<': 1}\n", {"<<": 1}),  # in quotes it is a key like others
        ("a: &a {x: 1}\nc: &c {<<: *a, y: 2}\nb: {<<: *c}\n", {"y": 2, "x": 1}),
    ],
)
def test_merge_keys(text: str, merged: dict[str, int]) -> None:
    """https://yaml.org/type/merge.html: the table's own keys win, then the first of a list."""
    data = read(text)
    assert isinstance(data, dict)
    assert data["b"] == merged


@pytest.mark.parametrize("text", ["a: &a 1\nb: {<<: *a}\n", "b: {<<: [1]}\n", "b: {<<: }\n"])
def test_what_cannot_be_merged(text: str) -> None:
    _source, found = parse("x.yaml", "/", text)
    assert [item.code for item in found] == ["WG0111"]


def test_groups_share_an_anchor_and_mistakes_are_shown_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    rest = "groups:\n  a:\n    <<: *common\n    listen: ['127.0.0.1:1']\n  b:\n    <<: *common\n    threads: 7\n"
    path.write_text(f"{COMMON}{rest}    listen: ['127.0.0.1:2']\n")
    configuration = load([path]).configuration
    assert configuration is not None
    assert [(group.threads, group.app) for group in configuration.groups.values()] == [(5, "a:b"), (7, "a:b")]
    path.write_text(path.read_text().replace("threads: 5", "threads: no"))
    (found,) = load([path]).diagnostics
    assert found.span is not None
    assert (found.code, found.span.line) == ("WG0301", 3)


@pytest.mark.parametrize("name", ["x.toml", "x.yaml"])
def test_x_keys_are_for_others_at_the_top_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "x.toml":
        top, group = "version = 1\n[x-mine]\na = 1\n[groups.a]\n", 'app = "a:b"\nlisten = ["127.0.0.1:1"]\n{}'
        inner = "x-mine = 1\n"
    else:
        top, group = "version: 1\nx-mine: 1\ngroups:\n  a:\n", "    app: a:b\n    listen: ['127.0.0.1:1']\n{}"
        inner = "    x-mine: 1\n"
    path.write_text(top + group.format(""))
    assert load([path]).configuration is not None
    path.write_text(top + group.format(inner))
    assert [item.code for item in load([path]).diagnostics] == ["WG0201"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", 'version = 1\n[groups.a]\napp = "a:b"\nlisten = ["127.0.0.1:1"]\n{}threadz = 1\n'),
        ("x.toml", 'version = 1\n[groups]\na.app = "a:b"\na.listen = ["127.0.0.1:1"]\n{}a.threadz = 1\n'),
        ("x.yaml", "version: 1\ngroups:\n  a:\n    app: a:b\n    listen: ['127.0.0.1:1']\n{}    threadz: 1\n"),
    ],
)
def test_keys_that_are_set_twice_hide_nothing(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    sign, before = ("=", "a." if "a.app" in text else "") if name == "x.toml" else (":", "    ")
    twice = "".join(f"{before}{key}{sign} {value}\n" for key, value in (("threads", 1), ("threads", 2), ("threads", 3)))
    several = f'{before}app{sign} "c:d" # again\n{before}listen{sign} [\n"x",\n    ]\n'
    path.write_text(text.format(twice + several))
    loaded = load([path])
    assert loaded.configuration is None
    assert [item.code for item in loaded.diagnostics] == ["WG0108"] * 4 + ["WG0201"]
    assert [item.span.line for item in loaded.diagnostics if item.span] == sorted(
        item.span.line for item in loaded.diagnostics if item.span
    )


def test_a_header_that_stands_there_twice_hides_nothing(tmp_path: Path) -> None:
    """Of its table, of others, and of the file's other mistakes: what is below it is read as part of the first."""
    path = tmp_path / "x.toml"
    path.write_text(
        'version = 1\n[groups.a]\napp = "a:b"\n[groups.b]\nthreadz = 1\n[groups.a]\nlisten = ["127.0.0.1:1"]\n'
        "umask = 22\n[groups.a]\nprocesses = 0\n[groups.a.rollout]\ncanari = 1\n"
    )
    found = [(item.code, item.span.line) for item in load([path]).diagnostics if item.span]
    assert ("WG0201", 5) in found, "in the table between"
    assert [line for code, line in found if code == "WG0108"] == [6, 9]
    assert ("WG0310", 8) in found, "below the second header"
    assert {line for _code, line in found} >= {5, 6, 8, 9, 10, 12}


def test_of_a_table_that_is_set_twice_the_first_values_count(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('version = 1\n[groups.a]\napp = "a:b"\nthreads = 2\n[groups.a]\nthreads = 3\nlisten = ["x"]\n')
    found = [(item.code, item.span.line) for item in load([path]).diagnostics if item.span]
    assert found[0] == ("WG0108", 5)
    assert any(line == 7 for _code, line in found), "an address that is none"
