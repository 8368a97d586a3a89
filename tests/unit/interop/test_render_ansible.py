"""`render ansible`: a role and a playbook; here their texts, in test_ansible_rollouts.py what they do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

from wsgigroups.cli.main import cli
from wsgigroups.config import load

GROUPS = """
version = 1
[groups.shop]
release = "1.0"
script = "/srv/shop/releases/1.0/shop.wsgi"
python-home = "/srv/shop/releases/1.0"
python-path = ["/srv/shop/releases/1.0/lib", "/srv/shop/releases/1.0.1", "/srv/other/1.0"]
listen = ["127.0.0.1:8000"]
[groups.shop.environment]
BRACES = "{{ x }} {% raw %} {# {{{ }}"
VERSION = "1.0"
CONFIG = "/srv/shop/releases/1.0"
[groups.other]
app = "a:b"
"""


def render(tmp_path: Path, text: str = GROUPS) -> Result:
    file = tmp_path / "groups.toml"
    file.write_text(text)
    return CliRunner().invoke(cli, ["render", "ansible", str(file), "-o", str(tmp_path / "out")])


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    result = render(tmp_path)
    assert result.exit_code == 0, result.output
    return tmp_path / "out"


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def test_every_file_is_yaml_and_no_word_is_left_to_replace(rendered: Path) -> None:
    found = [path for path in rendered.rglob("*") if path.is_file()]
    assert len(found) == 10
    for path in found:
        assert not re.search(r"\b(RELEASE|DIRECTORY)\b", path.read_text()), path
        if path.suffix == ".yml":
            assert read(path), path


def test_the_playbook_has_the_words_of_nomad_and_the_release_of_the_file(rendered: Path) -> None:
    rollout, finish = read(rendered / "rollout.yml")
    assert {name: rollout["vars"][name] for name in ("release", "canary", "max_parallel", "auto_revert")} == {
        "release": "1.0", "canary": 1, "max_parallel": 1, "auto_revert": True,
    }  # fmt: skip
    assert {"healthy_deadline", "min_healthy_time", "stagger"} < set(rollout["vars"])
    assert rollout["max_fail_percentage"] == 0
    assert rollout["hosts"] == finish["hosts"]
    assert read(rendered / "roles/groups/defaults/main.yml")["groups_directory"] == "/srv/shop"


@pytest.mark.parametrize(
    ("canary", "max_parallel", "batches"),
    [(1, 2, ["1", "2"]), ("3", "5", ["3", "5"]), (0, 2, ["2", "2"]), (0, 0, ["1", "1"])],
)
def test_zero_is_never_all_machines_at_once(
    rendered: Path, canary: object, max_parallel: object, batches: list[str]
) -> None:
    serial = read(rendered / "rollout.yml")[0]["serial"]
    jinja = Environment(autoescape=False)
    assert [jinja.from_string(text).render(canary=canary, max_parallel=max_parallel) for text in serial] == batches


def test_the_template_is_the_configuration_with_another_release(rendered: Path, tmp_path: Path) -> None:
    template = (rendered / "roles/groups/templates/groups.toml.j2").read_text()
    jinja = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    for release in ("1.0", "2.0"):
        (tmp_path / "made.toml").write_text(jinja.from_string(template).render(groups_release=release))
        made, written = (load([tmp_path / name], trust=False).configuration for name in ("made.toml", "groups.toml"))
        assert made is not None
        assert written is not None
        expected = written.to_document()
        if release == "2.0":
            shop = expected["groups"]["shop"]
            shop["release"] = "2.0"
            shop["script"] = "/srv/shop/releases/2.0/shop.wsgi"
            shop["python-home"] = "/srv/shop/releases/2.0"
            shop["python-path"][0] = "/srv/shop/releases/2.0/lib"
            shop["environment"]["CONFIG"] = "/srv/shop/releases/2.0"
        assert made.to_document() == expected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('release = "1.0"', "", "no group names one"),
        ('app = "a:b"', 'app = "a:b"\nrelease = "2"', "groups name '1.0', '2'"),
        ('release = "1.0"', 'release = "../1"', "cannot use '../1' as the name of a directory"),
        ('release = "1.0"', 'release = "9"', "no path leads there"),
        ('app = "a:b"', 'app = "a:b"\nhome = "/srv/b/releases/1.0"', "it is in /srv/b and in /srv/shop"),
    ],
)
def test_a_file_that_says_no_single_release_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    result = render(tmp_path, GROUPS.replace(old, new))
    assert said in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_stale_file_is_told_without_the_values_of_variables(tmp_path: Path) -> None:
    assert render(tmp_path).exit_code == 0
    changed = GROUPS.replace('VERSION = "1.0"', 'VERSION = "2.0"').replace('app = "a:b"', 'app = "a:c"')
    (tmp_path / "groups.toml").write_text(changed)
    arguments = ["render", "ansible", str(tmp_path / "groups.toml"), "-o", str(tmp_path / "out"), "--check"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.return_value == 1
    assert "groups.toml.j2: is stale" in done.output
    assert '+app = "a:c"' in done.output
    assert "2.0" not in done.output
