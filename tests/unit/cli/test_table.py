"""The status table fits the terminal, says what is wrong, and is readable without colour."""

from __future__ import annotations

from typing import Any

import click
import pytest

from wsgigroups.cli.status import healthy, select
from wsgigroups.cli.table import duration, show_status
from wsgigroups.errors import ExitCode, WsgigroupsError


def process(slot: int, **changes: Any) -> dict[str, Any]:
    base = {
        "slot": slot, "pid": 4700 + slot, "life": slot, "state": "ready", "started_at": "2026-01-01T00:00:00Z",
        "uptime_s": 10.1, "requests_total": 5, "requests_active": 0, "requests_queued": 0, "rss_bytes": 20_000_000,
        "pss_bytes": 4_000_000, "cpu_s": 0.1, "failures": 0, "last_exit": None, "retry_in_s": None, "last_death": None,
    }  # fmt: skip
    return {**base, **changes}


def group(name: str, **changes: Any) -> dict[str, Any]:
    base = {
        "name": name, "state": "ready", "processes_wanted": 2, "processes_ready": 2, "threads": 25, "user": "joe",
        "group": "joe", "listen": ["127.0.0.1:8000"], "python": "3.11.2", "requests_total": 10, "requests_active": 0,
        "requests_queued": 0, "restarts": 0, "last_error": None, "log": "/var/log/blog.log", "scaled": False,
        "cleanup": "cgroup", "not_in_force": {}, "processes": [process(1), process(2)],
    }  # fmt: skip
    return {**base, **changes}


def status(*groups: dict[str, Any]) -> dict[str, Any]:
    manager = {"pid": 1, "version": "0.1.0", "uptime_s": 12.5, "cleanup": "cgroup"}
    return {"schema_version": 1, "revision": 3, "manager": manager, "groups": list(groups)}


@pytest.mark.parametrize("width", [30, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    show_status(status(group("blog"), group("a-group-with-a-long-name")), "auto")
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "blog" in printed
    assert max(map(len, printed.splitlines())) <= max(width, 40)
    assert ("127.0.0.1:8000" in printed) == (width >= 80)
    assert ("python" in printed) == (width >= 140)


def test_what_is_wrong_stands_below_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    error = {
        "slot": 1,
        "life": 7,
        "message": "cannot import shop.wsgi",
        "step": "import",
        "traceback": "Traceback…\n  boom",
    }
    broken = group(
        "shop", state="failed", processes_ready=0, last_error=error,
        processes=[process(1, state="backoff", pid=None, retry_in_s=4.2, failures=5)],
    )  # fmt: skip
    show_status(status(broken), "never")
    printed = capsys.readouterr().out
    for text in ("failed 0/2", "backoff 4s", "shop/1 life 7: cannot import shop.wsgi", "boom", "/var/log/blog.log"):
        assert text in printed


def test_an_empty_manager_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(status(), "never")
    assert "wsgigroups apply FILE" in capsys.readouterr().out


def test_select_by_group_and_slot() -> None:
    everything = status(group("blog"), group("shop"))
    assert [g["name"] for g in select(everything, ("shop",))["groups"]] == ["shop"]
    (blog,) = select(everything, ("blog/2",))["groups"]
    assert [p["slot"] for p in blog["processes"]] == [2]
    assert select(everything, ()) == everything
    with pytest.raises(WsgigroupsError, match="cannot find group 'blgo'") as caught:
        select(everything, ("blgo",))
    assert caught.value.exit_code is ExitCode.NO_SUCH_GROUP


def test_a_slot_that_is_not_there_is_not_found() -> None:
    everything = status(group("blog"), group("shop"))
    for names in (("blog/9",), ("blog/0",), ("blog", "blog/9"), ("shop", "blog/9")):
        with pytest.raises(WsgigroupsError, match=r"cannot find process 'blog/[09]'") as caught:
            select(everything, names)
        assert caught.value.exit_code is ExitCode.NO_SUCH_GROUP
        assert caught.value.hint == "processes of blog: blog/1, blog/2"
    with pytest.raises(click.UsageError):
        select(everything, ("blog/²",))
    # a slot that should be held is there although nobody holds it; so is one above what is wanted that still drains
    vacant = status(group("blog", processes=[process(1), process(3, state="draining")]))
    assert select(vacant, ("blog/2",))["groups"][0]["processes"] == []
    assert [p["slot"] for p in select(vacant, ("blog/3", "blog/1"))["groups"][0]["processes"]] == [1, 3]
    stopped = status(group("blog", state="stopped", processes_wanted=0, processes=[]))
    with pytest.raises(WsgigroupsError, match="cannot find process 'blog/1'") as caught:
        select(stopped, ("blog/1",))
    assert caught.value.hint == "processes of blog: none"


def test_a_slot_is_shown_with_its_own_last_death() -> None:
    deaths = {life: {"slot": 2, "life": life, "message": f"death of {life}"} for life in (7, 9)}
    processes = [process(1), process(2, last_death=deaths[7]), process(3, last_death=deaths[9])]
    everything = status(group("blog", processes=processes, processes_wanted=3, last_error=deaths[9]))
    shown = {name: select(everything, (name,))["groups"][0]["last_error"] for name in ("blog", "blog/1", "blog/2")}
    assert shown == {"blog": deaths[9], "blog/1": None, "blog/2": deaths[7]}
    assert select(everything, ("blog/2", "blog/3"))["groups"][0]["last_error"] == deaths[9]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), False),
        (("shop",), True),
        (("blog",), False),
        (("blog/1",), True),
        (("blog/2",), False),
        (("blog/1", "shop"), True),
        (("blog/1", "blog/2"), False),
        (("blog", "blog/1"), False),
        (("blog/3",), True),  # its successor is still starting, and the one in place serves
        (("blog/4",), False),  # nobody holds it just now
    ],
)
def test_health_is_that_of_what_is_named(names: tuple[str, ...], expected: bool) -> None:
    processes = [process(1), process(2, state="backoff"), process(3), process(3, state="starting")]
    everything = status(
        group("blog", state="degraded", processes_wanted=4, processes_ready=2, processes=processes), group("shop")
    )
    assert healthy(select(everything, names), names) is expected


@pytest.mark.parametrize(("seconds", "text"), [(4.23, "4.2s"), (192, "3m12s"), (18420, "5h07m"), (1_051_200, "12d04h")])
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
