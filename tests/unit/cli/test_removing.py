"""What is said before groups are removed: which, where they came from, and how to keep them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.cli.removing import confirm_removals
from wsgigroups.errors import WsgigroupsError


def plan(*removed: tuple[str, str]) -> Any:
    """A plan that removes groups, each of a file; "" for one that is not known."""
    steps = [{"group": name, "kind": "remove", "files": [file] if file else []} for name, file in removed]
    return {"steps": [*steps, {"group": "new", "kind": "add", "files": ["/srv/b/groups.toml"]}]}


@pytest.fixture(autouse=True)
def nobody_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.chdir(tmp_path)


def refusal(plan: Any, *files: str) -> tuple[str, str]:
    with pytest.raises(WsgigroupsError) as refused:
        confirm_removals(plan, [Path(file) for file in files], yes=False)
    assert refused.value.exit_code == 2
    return refused.value.message, str(refused.value.hint)


def test_the_files_that_keep_them_are_named_as_somebody_here_would(tmp_path: Path) -> None:
    message, hint = refusal(plan(("djsite", str(tmp_path / "djsite/groups.toml"))), "flaskfac/groups.toml")
    assert message == "this would remove group djsite, which is not in flaskfac/groups.toml"
    assert hint == (
        "to keep it, name its file too: wsgigroups apply djsite/groups.toml flaskfac/groups.toml; "
        "to leave other files alone: wsgigroups apply --only flaskfac/groups.toml; to remove it: --yes"
    )


def test_each_file_once_and_a_directory_not_again() -> None:
    message, hint = refusal(plan(("a", "/srv/a.toml"), ("b", "/srv/a.toml"), ("c", "/etc/d/c.toml")), "/etc/d")
    assert message == "this would remove 3 groups (a, b, c), which are not in /etc/d"
    assert "name their files too: wsgigroups apply /srv/a.toml /etc/d;" in hint


def test_of_many_the_first_are_named() -> None:
    message, _hint = refusal(plan(*((f"g{number}", "/a") for number in range(9))), "/b")
    assert message == "this would remove 9 groups (g0, g1, g2, g3, g4 and 4 more), which are not in /b"


def test_what_was_taken_out_of_the_file_itself_is_only_confirmed() -> None:
    assert refusal(plan(("a", "/b.toml")), "/b.toml")[1] == "to remove it: --yes"


def test_where_the_file_is_not_known_it_is_said_so() -> None:
    assert refusal(plan(("a", "")), "/b.toml")[1] == (
        "to keep it, name the file that has it as well; "
        "to leave other files alone: wsgigroups apply --only /b.toml; to remove it: --yes"
    )


def test_a_saved_plan_and_what_runs_have_no_other_files() -> None:
    message, hint = refusal(plan(("a", "/a.toml")))
    assert message == "this would remove group a, which is not in this configuration"
    assert hint == "to remove it: --yes"


def test_who_agrees_and_who_removes_nothing_is_not_asked() -> None:
    confirm_removals(plan(("a", "/a.toml")), [Path("/b.toml")], yes=True)
    confirm_removals(plan(), [Path("/b.toml")], yes=False)
