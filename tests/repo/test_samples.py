"""Every sample says what it shows, names its schema, is valid in every profile, and can be planned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.configurations import messages

from wsgigroups.config import Configuration, load
from wsgigroups.host.interpreters import Interpreter
from wsgigroups.plan.planner import plan
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.targets import gateway as gateways
from wsgigroups.targets import resolve as resolving
from wsgigroups.targets.identity import Person
from wsgigroups.targets.nginx import NginxProgram
from wsgigroups.targets.resolve import Surroundings, resolve
from wsgigroups.trust.certificates import Pair

SAMPLES = Path(__file__).parents[2] / "sample-configs"
FILES = [
    *sorted(path for path in SAMPLES.iterdir() if path.suffix in (".toml", ".yaml")),
    SAMPLES / "many-files/main.toml",
]
PARTS = sorted(path for path in (SAMPLES / "many-files" / "groups").iterdir())
EVERY = [*FILES, *PARTS]


def profiles_of(path: Path) -> list[list[str]]:
    """No profile, and each one that the file defines."""
    loaded = load([path], variables={})
    assert loaded.composed
    return [[], *([name] for name in loaded.composed.profiles)]


CASES = [(path, profiles) for path in FILES for profiles in profiles_of(path)]
NAMES = [f"{path.stem}{'-' + profiles[0] if profiles else ''}" for path, profiles in CASES]


def test_there_are_samples_for_many_situations() -> None:
    assert len(FILES) >= 11


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_it_opens_with_its_schema_and_what_it_shows(path: Path) -> None:
    lines = path.read_text().splitlines()
    match = re.fullmatch(r"#:schema (\S+)|# yaml-language-server: \$schema=(\S+)", lines[0])
    assert match
    assert (path.parent / (match[1] or match[2])).resolve().name == "groups.schema.json"
    assert (path.parent / (match[1] or match[2])).resolve().is_file()
    assert lines[1].startswith("# ")
    assert len(lines[1]) > 40
    hosts = re.findall(r"[\w.-]+\.(?:com|org|net|de|io)\b", path.read_text())
    assert all(re.search(r"(^|\.)example\.(org|net|com)$", host) for host in hosts), hosts


@pytest.mark.parametrize(("path", "profiles"), CASES, ids=NAMES)
def test_it_is_valid_without_a_warning(path: Path, profiles: list[str]) -> None:
    loaded = load([path], profiles=profiles, strict=True, variables={})
    assert loaded.configuration, messages(loaded)
    assert not loaded.diagnostics, messages(loaded)
    assert Configuration.from_document(loaded.configuration.to_document()) == loaded.configuration


@pytest.mark.parametrize(("path", "profiles"), CASES, ids=NAMES)
def test_it_can_be_planned(path: Path, profiles: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against a host that has its users, interpreters and files."""

    def person(_group: str, user: str | None, primary: str | None, supplementary: Any) -> Person:
        groups = (1000, *range(2000, 2000 + len(supplementary)))
        return Person(1000, 1000, groups, user or "www-data", primary or "www-data", "/home/x")

    def interpreter(_chooser: Any, _name: str, group: Any, _person: Any) -> tuple[Interpreter, None]:
        home = Path(group.python_home) if group.python_home else None
        return Interpreter(Path("/usr/bin/python3"), home, (3, 11, 2), "venv" if home else "manager"), None

    monkeypatch.setattr(resolving, "resolve_person", person)
    monkeypatch.setattr(resolving.Chooser, "find", interpreter)
    monkeypatch.setattr(resolving, "resolve_uid", lambda *_: 1000)
    program = NginxProgram("/usr/sbin/nginx", "nginx version: nginx/1.22.1", "2026-11-19T10:20:30Z")
    monkeypatch.setattr(gateways, "ask_nginx", lambda *_: program)
    monkeypatch.setattr(resolving, "resolve_gid", lambda *_: 1000)
    monkeypatch.setattr("wsgigroups.targets.environment._read_file", lambda *_: {})
    monkeypatch.setattr("wsgigroups.targets.site_files.read_pair", lambda *_: Pair("name", b"", b""))
    loaded = load([path], profiles=profiles, variables={})
    assert loaded.configuration
    targets = resolve(loaded.configuration, Surroundings(Path("/run/w"), tmp_path, tmp_path, {}))
    planned = plan(targets, {}).to_json()
    groups = loaded.configuration.all_groups()
    assert groups
    expected = {*groups, *([GATEWAY] if loaded.configuration.sites else [])}
    assert sorted(step["group"] for step in planned["steps"]) == sorted(expected)
    for step in planned["steps"]:
        assert step["kind"] == "add"
        wanted = groups.get(step["group"], loaded.configuration.gateway)
        assert step["cost"]["processes_started"] == wanted.processes > 0
    assert not planned["empty"]
    assert targets.keys() == expected
