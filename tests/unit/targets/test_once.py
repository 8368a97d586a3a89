"""What is remembered from one look to the next: targets whose configuration and host are as they were."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import Configuration
from wsgigroups.plan.desired import Desired
from wsgigroups.targets import identity
from wsgigroups.targets.once import Once, Targets
from wsgigroups.targets.resolve import Surroundings, resolve

AROUND = Surroundings(Path("/run/w"), Path("/tmp"), Path("/"), {}, b"key")
APP = {"app": "hello_app:application"}

pytestmark = pytest.mark.usefixtures("ordinary_manager")


@pytest.fixture
def ordinary_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)


def look(known: Targets | None, groups: dict[str, Any], around: Surroundings = AROUND, **tables: Any) -> Desired:
    return resolve(Configuration.from_document({"version": 1, "groups": groups, **tables}), around, known)


def test_equal_groups_on_the_same_host_keep_their_targets() -> None:
    known = Targets()
    before = look(known, {"a": {**APP}, "b": {**APP}})
    after = look(known, {"a": {**APP}, "b": {**APP, "threads": 9}})
    assert after["a"] is before["a"]
    assert after["b"].spec.serving.threads == 9
    assert look(known, {"a": {**APP}})["a"] is before["a"]


@pytest.mark.parametrize("changed", [{"server": {"timeout": 7}}, {"server": {"error-log": "/tmp/other.log"}}])
def test_what_groups_inherit_makes_other_targets(changed: dict[str, Any]) -> None:
    known = Targets()
    look(known, {"a": APP})
    assert look(known, {"a": APP}, **changed) == look(None, {"a": APP}, **changed) != look(None, {"a": APP})


def test_a_host_that_changed_makes_other_targets(tmp_path: Path) -> None:
    known, file = Targets(), tmp_path / "environment"
    groups = {"a": {**APP, "environment-files": [str(file)]}, "b": {**APP}}
    file.write_text("COLOUR=red\n")
    before = look(known, groups)
    file.write_text("COLOUR=blue\n")
    after = look(known, groups)
    assert after["a"].spec.environment["COLOUR"] == "blue"
    assert after["a"].fingerprint != before["a"].fingerprint
    assert after["b"] is before["b"]


def test_another_key_makes_other_digests() -> None:
    known, groups = Targets(), {"a": {**APP, "environment": {"SECRET": "x"}}}
    before = look(known, groups)["a"].options
    assert (
        look(known, groups, Surroundings(Path("/run/w"), Path("/tmp"), Path("/"), {}, b"other"))["a"].options != before
    )


def test_what_all_groups_share_is_asked_for_once_in_a_look_and_again_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(identity.pwd, "getpwuid", lambda uid: asked.append(uid) or NOBODY)
    known, groups = Targets(), {f"a{number}": {**APP} for number in range(20)}
    look(known, groups)
    assert len(asked) == 1
    look(known, groups)
    assert len(asked) == 2


NOBODY = identity.pwd.struct_passwd(("somebody", "x", 4711, 4711, "", "/home/somebody", ""))


def test_what_cannot_be_answered_is_asked_again() -> None:
    once, answers = Once(), iter([OSError("not now"), 7])

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(OSError, match="not now"):
        once.of("x", ask)
    assert (once.of("x", ask), once.of("x", ask)) == (7, 7)
