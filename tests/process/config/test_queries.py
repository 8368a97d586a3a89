"""Every query answers in text, JSON and YAML; both say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.manager import APPS, ManagerUnderTest


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path_factory.mktemp("queries")) as under_test:
        text = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        under_test.apply(f'{text}listen = ["127.0.0.1:{under_test.port()}"]\n')
        yield under_test


QUERIES = {
    "status": ["status"],
    "status of a process": ["status", "blog/1"],
    "why": ["why", "blog"],
    "why of a process": ["why", "blog/1"],
    "history": ["history"],
    "plan": ["plan", "FILE"],
    "validate": ["validate", "--offline", "FILE"],
    "config show": ["config", "show", "FILE"],
    "facts": ["facts"],
    "explain": ["explain"],
    "explain an option": ["explain", "memory-limit"],
    "explain a code": ["explain", "WG0201"],
}


def shape(value: Any) -> Any:
    """Keys, and values that do not change between two calls."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__ if isinstance(value, (int, float)) and not isinstance(value, bool) else value


@pytest.mark.parametrize("query", QUERIES)
def test_json_and_yaml_say_the_same(manager: ManagerUnderTest, query: str) -> None:
    arguments = [str(manager.base / "groups.toml") if item == "FILE" else item for item in QUERIES[query]]
    outputs = {}
    for output in ("text", "json", "yaml"):
        done = manager.cli(*arguments, "-o", output)
        assert done.returncode == 0, done.stderr
        outputs[output] = done.stdout
    assert manager.cli(*arguments).stdout[:20] == outputs["text"][:20], "text is the default"
    data = json.loads(outputs["json"])
    again = YAML(typ="safe", pure=True).load(StringIO(outputs["yaml"]))
    if query == "config show":
        # in yaml it is a configuration again
        written, shown = again["groups"]["blog"], data["configuration"]["groups"]["blog"]
        shown = {key: shown[key] for key in written} | {"rollout": {k: shown["rollout"][k] for k in written["rollout"]}}
        assert shape(written) == shape(shown)
    else:
        assert shape(again) == shape(data)


def test_why_has_what_the_sentences_have(manager: ManagerUnderTest) -> None:
    (group,) = json.loads(manager.cli("why", "blog", "-o", "json").stdout)["groups"]
    (process,) = group["processes"]
    assert (group["name"], group["state"], group["last_error"]) == ("blog", "ready", None)
    assert (process["slot"], process["state"], process["retry_in_s"]) == (1, "ready", None)
    text = manager.cli("why", "blog").stdout
    assert text.splitlines()[0] == "blog is ready: 1 of 1 processes are ready"
    assert f"blog/1 life {process['life']} is ready" in text
    assert group["log"] in text
    assert Path(group["log"]).exists()


def test_a_duration_is_waited_for(manager: ManagerUnderTest) -> None:
    for text in ("30s", "1m", "30", "0"):
        done = manager.cli("restart", "blog", "--timeout", text)
        assert done.returncode == 0, done.stderr
    refused = manager.cli("restart", "blog", "--timeout", "soon")
    assert refused.returncode == 2
    assert "cannot read 'soon' as a duration" in refused.stderr
