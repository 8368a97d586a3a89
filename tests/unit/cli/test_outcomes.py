"""How a change that was not simply done is told: what, where, what serves now, and where there is more."""

from __future__ import annotations

from typing import Any

import pytest

from wsgigroups.cli.outcomes import explain_change

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/srv/shop/shop.py", line 8, in <module>\n    import nothere\n'
    "ModuleNotFoundError: No module named 'nothere'\n"
)


def part(
    state: str, ready: int, wanted: int = 2, *, life: int = 7, traceback: str | None = TRACEBACK
) -> dict[str, Any]:
    message = "cannot import shop: ModuleNotFoundError: No module named 'nothere'"
    error = {"slot": 1, "life": life, "step": "import", "message": message, "traceback": traceback}
    return {"state": state, "error": error, "ready": ready, "wanted": wanted}


def told(capsys: pytest.CaptureFixture[str], verbosity: int = 0, revision: int | None = 13, **groups: Any) -> list[str]:
    made: Any = {"id": 3, "revision": revision, "running_revision": 12, "groups": groups}
    explain_change(made, verbosity)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_the_frame_that_matters_what_serves_and_where_there_is_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, shop=part("rolled-back", 2)) == [
        "✗ shop: the new process failed to start; 2 old processes keep serving (rolled back to revision 12)",
        "    /srv/shop/shop.py:8  import nothere",
        "    cannot import shop: ModuleNotFoundError: No module named 'nothere'",
        "  full traceback: wsgigroups why shop",
    ]


def test_with_v_the_whole_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, 1, None, shop=part("rolled-back", 1))
    assert lines[0] == "✗ shop: the new process failed to start; 1 old process keeps serving (nothing was replaced)"
    assert lines[1:-1] == [f"    {line}" for line in TRACEBACK.rstrip().splitlines()]
    assert lines[-1].endswith("No module named 'nothere'")


def test_of_several_groups_the_cause_is_first_and_all_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    healthy = {"state": "rolled-back", "error": None, "ready": 2, "wanted": 2}
    lines = told(capsys, blog=healthy, shop=part("rolled-back", 2, traceback=None))
    assert lines[0] == "✗ shop: the new process failed to start; 2 old processes keep serving"
    assert lines[-1] == "rolled back to revision 12: blog, shop"
    assert not any("traceback" in line for line in lines)


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (part("failed", 0), "✗ shop: its processes do not start; the manager tries again"),
        (part("rolled-back", 0, 0), "✗ shop: its processes do not start; the group is removed again (rolled back to"),
        (part("overtaken", 2, life=0), "✗ shop: cannot import shop"),
        (part("rolled-back", 0, life=0), "✗ shop: cannot import shop"),
    ],
)
def test_each_end_has_its_sentence(capsys: pytest.CaptureFixture[str], group: dict[str, Any], said: str) -> None:
    assert told(capsys, shop=group)[0].startswith(said)
