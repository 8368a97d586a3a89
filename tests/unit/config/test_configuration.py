"""The plain form: what the control API and stored revisions hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS, Configuration, Effect, Group
from wsgigroups.config.models.cluster import ClusterOptions, GroupClusterOptions
from wsgigroups.config.models.rollout import RolloutOptions
from wsgigroups.config.shape import CLUSTER_OPTIONS, GROUP_CLUSTER_OPTIONS
from wsgigroups.errors import ExitCode, WsgigroupsError

FULL = """\
version = 1
[server]
user = "www-data"
timeout = "30s"
[gateway]
processes = 2
[groups.blog]
app = "blog.wsgi:application"
listen = ["127.0.0.1:8000"]
processes = 1
python-path = "/a:/b"
memory-limit = "1G"
environment = { A = "${B}" }
[groups.blog.rollout]
max-surge = "50%"
canary = 2
abort-error-rate = "10%"
health-path = "/health"
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
aliases = ["Example.org"]
process-group = "blog"
[[sites."www.example.org".mounts]]
path = "/x/"
app = "x:y"
[[sites."www.example.org".static]]
path = "/s"
directory = "/srv/s"
[sites."www.example.org".groups.own]
script = "/own.wsgi"
listen = ["unix:/run/own.sock"]
"""


def test_the_document_is_plain_json_and_reads_back(check: Any) -> None:
    configuration = check(FULL, variables={"B": "$${C}"}).configuration
    document = configuration.to_document()
    assert json.loads(json.dumps(document)) == document
    assert Configuration.from_document(document) == configuration
    assert document == {
        "version": 1,
        "server": {"user": "www-data", "timeout": 30.0},
        "gateway": {"processes": 2},
        "groups": {
            "blog": {
                "app": "blog.wsgi:application",
                "listen": ["127.0.0.1:8000"],
                "environment": {"A": "$${C}"},
                "processes": 1,
                "python-path": ["/a", "/b"],
                "memory-limit": 1073741824,
                "rollout": {
                    "abort-error-rate": "10%",
                    "canary": 2,
                    "health-path": "/health",
                    "max-surge": "50%",
                },
            }
        },
        "sites": {
            "www.example.org": {
                "aliases": ["example.org"],
                "listen": ["0.0.0.0:80"],
                "process-group": "blog",
                "mounts": [{"path": "/x", "app": "x:y"}],
                "static": [{"path": "/s", "directory": "/srv/s"}],
                "groups": {"own": {"script": "/own.wsgi", "listen": ["unix:/run/own.sock"]}},
            }
        },
    }


BASE: dict[str, Any] = {"version": 1, "groups": {"a": {"app": "a:a", "listen": ["127.0.0.1:1"]}}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version"),
        ({"version": None}, "version"),
        ({"bogus": 1}, "unknown key"),
        ({"include": ["/etc/passwd"]}, "unknown key"),
        ({"profiles": {}}, "unknown key"),
        ({"defaults": {}}, "unknown key"),
        ({"groups": []}, "groups"),
        ({"groups": {"a": 3}}, "a group is a table"),
        ({"groups": {"../a": BASE["groups"]["a"]}}, "name of a group"),
        ({"groups": {"a": {"app": "a:a", "listen": ["x"]}}}, "groups.a.listen[0]"),
        ({"groups": {"a": {"app": "a:a", "user": "root"}}}, "groups.a.user"),
        ({"groups": {"a": {"app": "a:a", "home": "relative"}}}, "groups.a.home"),
        ({"groups": {"a": {"app": "a:a", "script": "/a"}}}, "groups.a.script"),
        ({"groups": {"a": {"app": "a:a", "threads": None}}}, "no value"),
        ({"groups": {"a": {"app": "a:a", "threads": 0}}}, "groups.a.threads"),
        ({"groups": {}, "sites": {"x.org": {"process-group": "b"}}}, "no group"),
    ],
)
def test_the_plain_form_is_strict(change: dict[str, Any], words: str) -> None:
    with pytest.raises(WsgigroupsError) as caught:
        Configuration.from_document({**BASE, **change})
    assert words in caught.value.message
    assert caught.value.message.startswith("cannot use this configuration")
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("document", [None, [], "x", 3])
def test_what_is_no_table_is_refused(document: Any) -> None:
    with pytest.raises(WsgigroupsError, match="not a table"):
        Configuration.from_document(document)


def test_variables_are_not_replaced_in_the_plain_form() -> None:
    document = {**BASE, "groups": {"a": {**BASE["groups"]["a"], "environment": {"A": "${HOME}"}}}}
    assert Configuration.from_document(document).groups["a"].environment == {"A": "${HOME}"}


def test_every_option_has_what_plan_and_documentation_need() -> None:
    tables = {"rollout", "kubernetes"}
    assert {*OPTIONS, *tables} == {attribute.replace("_", "-") for attribute in Group.model_fields}
    assert set(ROLLOUT_OPTIONS) == {attribute.replace("_", "-") for attribute in RolloutOptions.model_fields}
    known = {*OPTIONS, *ROLLOUT_OPTIONS, *CLUSTER_OPTIONS, *GROUP_CLUSTER_OPTIONS}
    tables_of_clusters = (*CLUSTER_OPTIONS.items(), *GROUP_CLUSTER_OPTIONS.items())
    assert {option.effect for _name, option in tables_of_clusters} == {Effect.NONE}
    for name, option in (*OPTIONS.items(), *ROLLOUT_OPTIONS.items(), *tables_of_clusters):
        assert option.attribute == name.replace("-", "_")
        assert isinstance(option.effect, Effect)
        assert option.effect_reason, name
        assert option.doc.endswith("."), name
        assert option.example is not None, name
        assert set(option.related) <= known, name
        assert name not in option.related, name


def test_every_example_is_valid() -> None:
    for name, option in OPTIONS.items():
        group = Group.model_validate({name: option.example})
        assert group.is_set(name)
        assert group.is_set(option.attribute)
    for name, option in ROLLOUT_OPTIONS.items():
        assert RolloutOptions.model_validate({name: option.example}).is_set(name)
    for name, option in CLUSTER_OPTIONS.items():
        assert ClusterOptions.model_validate({name: option.example}).is_set(name)
    for name, option in GROUP_CLUSTER_OPTIONS.items():
        assert GroupClusterOptions.model_validate({name: option.example}).is_set(name)
