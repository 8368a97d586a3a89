"""The status fits the terminal, says what is wrong, and is readable without colour."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click
import pytest
from support.statuses import group, process, status

from wsgigroups.cli.amounts import ago, duration, latency, memory, rate
from wsgigroups.cli.signs import STYLE, sign, writable
from wsgigroups.cli.status import healthy, select
from wsgigroups.cli.status_table import show_status
from wsgigroups.cli.watching import LOOK_S, lasting
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.plan.routing import link_path

LONG = "a-group-with-a-name-that-has-no-room"
ERROR = {
    "slot": 1,
    "life": 7,
    "message": "cannot import module 'shop.wsgi'",
    "step": "import",
    "traceback": (
        "Traceback (most recent call last):\n"
        '  File "/srv/shop/wsgi.py", line 3, in <module>\n    import helper\n'
        '  File "/srv/.venv/lib/python3.11/site-packages/helper.py", line 9, in <module>\n    import bottle\n'
        "ModuleNotFoundError: No module named 'bottle'\n"
    ),
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Return what a status looks like at a width; without a width where stdout is no terminal."""

    def show(width: int | None, document: dict[str, Any], **more: Any) -> list[str]:
        if width is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("NO_COLOR", "1")
        capsys.readouterr()
        show_status(document, "auto", **more)
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        return printed.splitlines()

    return show


def test_what_is_left_behind_is_named(shown: Callable[..., list[str]]) -> None:
    def told(*strays: int) -> str:
        return "\n".join(shown(None, status(group("blog", strays=list(strays)))))

    assert "left behind, or helpers: 1 process (41), which ends with the user's last" in told(41)
    assert "6 processes (1, 2, 3, 4, 5, …), which end with the user's last" in told(1, 2, 3, 4, 5, 6)
    assert "left behind" not in told()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 140])
def test_the_width_alone_decides_on_the_columns(width: int, shown: Callable[..., list[str]]) -> None:
    failing = group("b", state="failed", processes_ready=0, last_error=ERROR, restarts=6)
    lines = shown(width, status(group("blog"), group(LONG), failing), named=True)
    assert max(map(len, lines)) <= width
    short = shown(width, status(group("b")))
    assert lines[0] == short[0], "the columns are those of short names"
    assert ("ADDRESS" in lines[0]) == (width >= 60)
    assert ("P99" in lines[0]) == (width >= 100)
    assert "READY  STATE" in lines[0]
    folded = "".join(line[2 : lines[0].index("READY") - 2].strip() for line in lines)
    assert LONG in folded, "no name is cut"
    if width >= 60:
        assert [line for line in lines if line.endswith("  http://127.0.0.1:8000")], "the address stands in one piece"


def test_a_row_has_the_totals_of_its_group(shown: Callable[..., list[str]]) -> None:
    head, row, *_rest = shown(120, status(group("blog", restarts=4)))
    assert head.split() == ["GROUP", "READY", "STATE", "RESTARTS", "BUSY", "REQ/S", "P99", "MEM", "ADDRESS"]
    assert row.split() == ["●", "blog", "2/2", "ready", "4", "2/50", "212", "41", "ms", "84M", "http://127.0.0.1:8000"]


def test_what_is_no_terminal_gets_lines_without_an_end(shown: Callable[..., list[str]]) -> None:
    path = "unix:/run/" + "a" * 90
    lines = shown(None, status(group(LONG, listen=[path])))
    assert f"● {LONG}  2/2    ready" in lines[1]
    assert lines[1].endswith(path)
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_failing_group_says_why_in_a_line_and_what_to_do(shown: Callable[..., list[str]]) -> None:
    waiting = process(1, state="backoff", pid=None, retry_in_s=4.2, failures=5)
    failing = group("shop", state="failed", processes_ready=0, last_error=ERROR, restarts=6, processes=[waiting])
    lines = shown(120, status(group("blog"), failing))
    assert lines[2].startswith("✗ shop")
    assert lines[3] == "    ModuleNotFoundError: No module named 'bottle' (wsgi.py:3)   → wsgigroups why shop"
    (row,) = [line for line in shown(120, status(failing), named=True) if "shop/1" in line]
    assert "backoff" in row
    assert row.endswith("life 1, next try in 4.2s")
    crashed = {**ERROR, "message": "killed by signal 9", "traceback": "in flight: GET /\nThread MainThread"}
    assert "    blog/1 life 7: killed by signal 9   → wsgigroups why blog" in shown(
        120, status(group("blog", last_error=crashed))
    ), "a group that is ready tells how its last process ended"


def test_the_manager_is_last_and_the_gateway_is_the_last_group(shown: Callable[..., list[str]]) -> None:
    undone = {"revision": 14, "ended_at": "2026-01-01T00:00:00Z"}
    lines = shown(120, status(group("@gateway"), group("blog"), rolled_back=undone))
    assert [line.split()[1] for line in lines[1:3]] == ["blog", "@gateway"]
    assert re.fullmatch(r"revision 3 \(14 was rolled back \d+ d ago\) · manager 11720, up 12\.5s", lines[-1])
    wide = shown(40, status(group("blog")), wide=True)
    assert wide[-1] == "revision 3 · manager 11720, up 12.5s, version 0.1.0, cleanup by cgroup"
    for text in ("PID", "LIFE", "CPU", "USER", "PYTHON", "4701", "joe", "3.11.2", "blog/2"):
        assert text in "\n".join(wide)


def test_a_group_of_sites_has_their_addresses(shown: Callable[..., list[str]]) -> None:
    link = f"unix:/run/wsgigroups/gateway/{link_path('blog')}"
    sites = [
        {"name": "a", "server_name": "a.example.org", "aliases": [], "listen": ["0.0.0.0:80", "0.0.0.0:443"],
         "mounts": {"/": "shop", "/blog": "blog"}, "static": {}, "certificate": None},
        {"name": "b", "server_name": "b.example.org", "aliases": [], "listen": ["0.0.0.0:8080"],
         "mounts": {"/": "blog"}, "static": {}, "certificate": None},
    ]  # fmt: skip
    listeners = [
        {"address": "0.0.0.0:443", "tls": True, "sites": ["a"]},
        {"address": "0.0.0.0:80", "tls": False, "sites": ["a"]},
    ]
    gateway = {"listeners": listeners, "sites": sites, "certificates": [], "orders": []}
    lines = shown(None, status(group("blog", listen=[link]), gateway=gateway), sites=False)
    assert lines[1].endswith("  https://a.example.org/blog http://b.example.org:8080/")


def test_signs_are_characters_that_the_terminal_has() -> None:
    assert writable("● blog → –", "utf-8") == "● blog → –"
    assert writable("● blog → –", "ascii") == "* blog -> -"
    assert {sign(state) for state in STYLE} <= {"●", "◐", "◌", "✗", "○"}


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


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "–"), (5_000_000, "4.8M"), (140_000_000, "134M"), (13_421_772_800, "12.5G"), (2_000_000_000_000, "1863G")],
)
def test_memory_has_five_characters(size_bytes: int, text: str) -> None:
    assert memory(size_bytes) == text


@pytest.mark.parametrize(
    ("per_s", "text"), [(None, "–"), (0.0, "0"), (2.54, "2.5"), (212.4, "212"), (9999.9, "10.0k"), (123456.0, "123.5k")]
)
def test_rates_are_short(per_s: float | None, text: str) -> None:
    assert rate(per_s) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0004, "<1 ms"),
        (0.001, "1 ms"),
        (0.0412, "41 ms"),
        (0.9996, "1.0 s"),
        (2.44, "2.4 s"),
        (10, ">10 s"),
    ],
)
def test_latencies_are_short(seconds: float | None, text: str) -> None:
    assert latency(seconds) == text


def test_how_long_ago_has_one_unit() -> None:
    at = "1970-01-01T00:00:00Z"
    assert [ago(at, float(later)) for later in (5, 300, 8000, 100_000, 200_000)] == [
        "5 s ago", "5 min ago", "2 h ago", "27 h ago", "2 d ago",
    ]  # fmt: skip
    assert ago("yesterday", 0.0) == ""


class Looks:
    """A clock, and a status that is another one at each look."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.now_s = 0.0
        self.documents = list(documents)

    def check(self, for_s: float) -> tuple[Any, bool]:
        return lasting(
            self._ask, lambda found: [] if healthy(found, ()) else ["blog"], for_s, 0, self._clock, self._pass
        )

    def _ask(self) -> Any:
        return self.documents.pop(0) if len(self.documents) > 1 else self.documents[0]

    def _clock(self) -> float:
        return self.now_s

    def _pass(self, seconds: float) -> None:
        assert 0 < seconds <= LOOK_S
        self.now_s += seconds


def test_a_check_for_a_while_sees_what_does_not_last(capsys: pytest.CaptureFixture[str]) -> None:
    well, ill = status(group("blog")), status(group("blog", state="degraded"))
    died = status(group("blog", restarts=1))
    steady = Looks(well)
    assert steady.check(10.0)[1]
    assert steady.now_s == 10.0
    assert Looks(well, ill).check(0.0)[1], "without a time it is one look"
    found, lasted = Looks(well, well, ill).check(10.0)
    assert (found, lasted) == (ill, False)
    assert not Looks(well, died, well).check(10.0)[1], "it was there again before anybody looked"
    assert "not ready: blog" in capsys.readouterr().err
    with pytest.raises(WsgigroupsError, match="for ever"):
        Looks(well).check(float("inf"))
