"""What differs between two stored configurations, and what is never said of them."""

from __future__ import annotations

from typing import Any

from wsgigroups.config.differences import Difference, differences

GROUP: dict[str, Any] = {
    "app": "blog:application",
    "threads": 15,
    "request-timeout": 60.0,
    "memory-limit": 268435456,
    "environment": {"SECRET": "hunter2", "OLD": "hunter3"},
    "rollout": {"max-surge": "50%"},
}


def rows(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str | None, str | None]]:
    return [(item.sign, item.key, item.old, item.new) for item in differences(old, new)]


def test_each_key_is_told_with_its_units() -> None:
    old = {"version": 1, "groups": {"blog": GROUP, "shop.eu": {"app": "shop:app"}}}
    changed = {**GROUP, "threads": 25, "request-timeout": 90.0, "memory-limit": 536870912, "listen": ["127.0.0.1:1"]}
    changed["rollout"] = {"max-surge": "50%", "canary-time": 300.0}
    assert rows(old, {"version": 1, "groups": {"blog": changed}}) == [
        ("~", "groups.blog.threads", "15", "25"),
        ("~", "groups.blog.request-timeout", '"1m"', '"1m30s"'),
        ("~", "groups.blog.memory-limit", '"256M"', '"512M"'),
        ("+", "groups.blog.rollout.canary-time", None, '"5m"'),
        ("+", "groups.blog.listen", None, '["127.0.0.1:1"]'),
        ("-", 'groups."shop.eu".app', '"shop:app"', None),
    ]
    assert differences(old, old) == []


def test_values_of_the_environment_are_never_said() -> None:
    changed = {**GROUP, "environment": {"SECRET": "correct horse", "NEW": "battery staple"}}
    found = differences({"groups": {"blog": GROUP}}, {"groups": {"blog": changed}})
    assert found == [
        Difference("groups.blog.environment.SECRET", "~", "set", "changed"),
        Difference("groups.blog.environment.NEW", "+", None, "set"),
        Difference("groups.blog.environment.OLD", "-", "set", None),
    ]
    whole = repr(
        differences({}, {"groups": {"environment": GROUP}, "sites": {"environment": {"groups": {"x": GROUP}}}})
    )
    for secret in ("hunter2", "hunter3"):
        assert secret not in whole
    assert "groups.environment.threads" in whole, "a group may have the name of an option"


def test_mounts_are_told_by_their_paths() -> None:
    old = {"sites": {"a": {"mounts": [{"path": "/", "process-group": "x"}, {"path": "/api", "process-group": "y"}]}}}
    new = {"sites": {"a": {"mounts": [{"path": "/api", "process-group": "z"}, {"path": "/", "process-group": "x"}]}}}
    assert rows(old, new) == [("~", 'sites.a.mounts."/api".process-group', '"y"', '"z"')]


def test_what_an_earlier_version_stored_is_shown_as_it_is() -> None:
    assert rows({}, {"groups": {"a": {"request-timeout": "soon", "gone-option": {}}}}) == [
        ("+", "groups.a.request-timeout", None, '"soon"'),
        ("+", "groups.a.gone-option", None, "{}"),
    ]
