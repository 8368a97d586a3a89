"""`top`: rows from two looks, and the screen with a manager that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from wsgigroups.cli.top_dialogs import Number, Question
from wsgigroups.cli.top_rows import DOING, ORDERS, SeenStatus, doing, group_rows, headline
from wsgigroups.cli.top_screen import Top
from wsgigroups.errors import ExitCode, WsgigroupsError

EVIL = "boom\x1b]52;c;cm0=\x07"


def process(slot: int, life: int, **changes: Any) -> dict[str, Any]:
    base = {
        "slot": slot, "pid": 4700 + life, "life": life, "state": "ready", "uptime_s": 61.0, "requests_active": 1,
        "rss_bytes": 0, "pss_bytes": 44_000_000, "cpu_s": 1.0, "retry_in_s": None, "last_exit": None,
    }  # fmt: skip
    return {**base, **changes}


def group(name: str, life: int, **changes: Any) -> dict[str, Any]:
    base = {
        "name": name, "state": "ready", "processes_wanted": 1, "processes_ready": 1, "threads": 4, "restarts": 0,
        "listen": ["127.0.0.1:8000"], "requests_active": 1, "requests_queued": 0, "requests_per_s": 2.0,
        "application_p99_s": 0.041, "processes": [process(1, life)],
    }  # fmt: skip
    return {**base, **changes}


def look(at: float, *groups: dict[str, Any]) -> SeenStatus:
    manager = {"pid": 11720, "version": "0.1.0", "uptime_s": 12.5, "cleanup": "cgroup"}
    return SeenStatus(at, cast("Any", {"revision": 3, "manager": manager, "groups": list(groups), "gateway": None}))


def details(name: str, life: int, *busy: dict[str, Any]) -> Any:
    threads = {"slot": 1, "life": life, "pid": 4700 + life, "state": "ready", "threads": 4, "busy": list(busy)}
    return {"schema_version": 1, "name": name, "options": {}, "variables": [], "processes": [threads]}


FRAME = {"kind": "application", "place": "/srv/shop/views.py:33", "function": "report", "count": 1}
SLOW = {"thread": 2, "asked": "GET /report", "age_s": 12.34, "frame": FRAME}
NEW = {"thread": 0, "asked": EVIL, "age_s": 0.1, "frame": None}


def test_a_process_takes_what_it_took_between_two_looks() -> None:
    before = look(100.0, group("a", 1), group("b", 2))
    now = look(102.0, group("a", 1, processes=[process(1, 1, cpu_s=2.5)]), group("b", 3))
    rows = {row.name: row.cells() for row in group_rows(now, before, ORDERS[0])}
    assert rows["a"] == ("● a", "1/1", "ready", "0", "1/4", "0", "2.0", "41 ms", "75%", "42M", "http://127.0.0.1:8000")
    assert rows["b"][8] == "–", "it is another process"
    assert [row.cpu_percent for row in group_rows(now, None, ORDERS[0])] == [None, None]
    assert headline(now) == "2 groups: 2 ready · 4.0 req/s · revision 3 · manager 11720, up 12.5s"


def test_groups_are_sorted_and_turned_round() -> None:
    groups = (
        group("b", 1, state="failed", processes_ready=0, requests_active=0, restarts=9),
        group("c", 2, requests_active=4, requests_per_s=50.0),
        group("a", 3, requests_queued=7, processes=[process(1, 3, pss_bytes=99_000_000)]),
    )
    names = {order.name: "".join(row.name for row in group_rows(look(1.0, *groups), None, order)) for order in ORDERS}
    assert names == {
        "GROUP": "abc", "STATE": "bac", "RESTARTS": "bac", "BUSY": "cab", "QUEUED": "abc", "REQ/S": "cab", "P99": "abc",
        "CPU": "abc", "MEM": "abc",
    }  # fmt: skip
    assert "".join(row.name for row in group_rows(look(1.0, *groups), None, ORDERS[0], reverse=True)) == "cba"


def test_below_each_process_stands_what_its_threads_do() -> None:
    waiting = process(2, 9, pid=None, state="backoff", retry_in_s=4.0, last_exit=EVIL, pss_bytes=0)
    now = look(1.0, group("a", 1, processes=[process(1, 1), waiting]))
    rows = doing("a", now, None, details("a", 1, SLOW, NEW))
    assert len(DOING) == len(rows[0])
    assert rows == [
        ("● a/1", "ready", "1m01s", "1/4", "–", "42M", "pid 4701, life 1"),
        ("    thread 2", "busy", "12.3s", "", "", "", "GET /report   /srv/shop/views.py:33 in report"),
        ("    thread 0", "busy", "0.1s", "", "", "", r"boom\x1b]52;c;cm0=\x07"),
        ("✗ a/2", "backoff", "–", "–", "–", "–", r"life 9, next try in 4.0s; before it: boom\x1b]52;c;cm0=\x07"),
    ]
    assert doing("gone", now, None, None) == []


class Played:
    """A manager: what it is asked for, and what it answers."""

    def __init__(self) -> None:
        self.document = look(0.0, group("shop", 1), group("blog", 2, processes_wanted=2, requests_active=3)).status
        self.acts: list[tuple[str, Any]] = []
        self.asked = 0
        self.error: WsgigroupsError | None = None
        self.outcome = "done"

    def status(self) -> Any:
        self.asked += 1
        if self.error:
            raise self.error
        return self.document

    def group(self, name: str) -> Any:
        return details(name, 1 if name == "shop" else 2, SLOW)

    def act(self, action: str, body: Any) -> Any:
        self.acts.append((action, body))
        return {"change": 7, "revision": 3}

    def wait(self, _number: int, _seen: str = "", wait_s: float = 30.0) -> Any:
        assert wait_s > 0
        error = None if self.outcome == "done" else {"message": EVIL}
        parts = {name: {"error": error} for name in ("shop", "blog")}
        return {"finished": True, "outcome": self.outcome, "groups": parts, "seen": "x"}


class Screen:
    """The screen as the test sees it."""

    def __init__(self, app: Top, pilot: Pilot[int], manager: Played) -> None:
        self.app, self.pilot, self.manager = app, pilot, manager

    def rows(self, table: str) -> list[str]:
        found = self.app.query_one(table, DataTable)
        return [" ".join(str(cell) for cell in found.get_row_at(row)) for row in range(found.row_count)]

    def text(self, where: str) -> str:
        return str(self.app.query_one(where, Static).render())

    async def until(self, what: str, fact: Callable[[], object]) -> None:
        for _ in range(500):
            await self.pilot.pause(0.01)
            if fact():
                return
        raise AssertionError(f"never: {what}\n{self.rows('#groups')}\n{self.rows('#doing')}\n{self.text('#told')}")


def play(
    scene: Callable[[Screen], Awaitable[None]], size: tuple[int, int] = (120, 30), names: tuple[str, ...] = ()
) -> Played:
    """Run the screen without a terminal through a scene."""
    manager = Played()

    async def run() -> None:
        app = Top(cast("Any", manager), names, period_s=0.02)
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, pilot, manager)
            await screen.until("two groups", lambda: screen.rows("#groups"))
            await scene(screen)

    asyncio.run(run())
    return manager


def test_the_chosen_group_has_its_threads_below() -> None:
    async def scene(screen: Screen) -> None:
        assert [row.split()[1] for row in screen.rows("#groups")] == ["blog", "shop"]
        await screen.until("blog's", lambda: "● blog/1" in screen.rows("#doing")[0])
        await screen.until("its thread", lambda: len(screen.rows("#doing")) == 2)
        assert "GET /report   /srv/shop/views.py:33 in report" in screen.rows("#doing")[1]
        await screen.pilot.press("down")
        await screen.until("shop's", lambda: "● shop/1" in screen.rows("#doing")[0])
        await screen.pilot.press("s", "s", "s")  # by BUSY: the one with more is above, and the chosen stays chosen
        await screen.until("sorted", lambda: [row.split()[1] for row in screen.rows("#groups")] == ["blog", "shop"])
        await screen.pilot.press("S")
        await screen.until("turned", lambda: [row.split()[1] for row in screen.rows("#groups")] == ["shop", "blog"])
        assert "shop" in screen.text("#chosen")

    play(scene)


def test_a_restart_is_asked_for_and_only_y_is_yes() -> None:
    async def scene(screen: Screen) -> None:
        for key in ("n", "escape"):
            await screen.pilot.press("r")
            await screen.until("asked", lambda: isinstance(screen.app.screen, Question))
            await screen.pilot.press("enter", "x", key)
            await screen.until("answered", lambda: not isinstance(screen.app.screen, Question))
        assert screen.manager.acts == []
        await screen.pilot.press("r")
        await screen.until("asked", lambda: isinstance(screen.app.screen, Question))
        await screen.pilot.press("y")
        await screen.until("told", lambda: screen.text("#told") == "restart blog: done")

    assert play(scene).acts == [("restart", {"groups": ["blog"]})]


def test_a_number_of_processes_is_asked_for() -> None:
    async def scene(screen: Screen) -> None:
        screen.manager.outcome = "failed"
        await screen.pilot.press("c")
        await screen.until("asked", lambda: isinstance(screen.app.screen, Number))
        field = screen.app.screen.query_one(Input)
        assert field.value == "2"
        field.value = "0"
        await screen.pilot.press("enter")
        assert isinstance(screen.app.screen, Number), "0 is no number of processes: stop does that"
        field.value = "5"
        await screen.pilot.press("enter")
        await screen.until("told", lambda: screen.text("#told") == r"scale blog: failed, boom\x1b]52;c;cm0=\x07")
        await screen.pilot.press("c")
        await screen.until("asked", lambda: isinstance(screen.app.screen, Number))
        await screen.pilot.press("escape")

    assert play(scene).acts == [("scale", {"processes": {"blog": 5}})]


def test_a_screen_that_ends_may_have_lost_its_tables() -> None:
    """It loses them before it says that it is over; what was asked until then is shown to nobody."""

    async def scene(screen: Screen) -> None:
        await screen.app.query_one("#groups").remove()
        before = screen.manager.asked
        await screen.until("asked again, and again", lambda: screen.manager.asked > before + 2)

    play(scene)


def test_a_manager_that_is_gone_leaves_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(screen: Screen) -> None:
        screen.manager.error = WsgigroupsError("cannot reach a manager", exit_code=ExitCode.NO_MANAGER)
        await screen.until("told", lambda: "from before" in screen.text("#told"))
        assert len(screen.rows("#groups")) == 2
        screen.manager.error = None
        await screen.until("back", lambda: not screen.text("#told"))
        await screen.pilot.press("space")
        await screen.until("paused", lambda: "paused" in screen.text("#head"))

    play(scene)


def test_a_narrow_terminal_has_fewer_columns_and_names_choose_groups() -> None:
    async def scene(screen: Screen) -> None:
        table = screen.app.query_one("#groups", DataTable)
        titles = [str(column.label) for column in table.ordered_columns]
        assert titles == ["GROUP▾", "READY", "STATE", "BUSY", "REQ/S", "MEM", "ADDRESS"]
        assert [row.split()[1] for row in screen.rows("#groups")] == ["shop"]

    play(scene, size=(80, 24), names=("shop",))
