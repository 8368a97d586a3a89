"""The dashboard over HTTP: who is let in, what is answered, and what a stream tells."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from support.dashboards import EVIL, DashboardClient, DashboardInThread, PlayedSource, death_of, event_of, group_shown
from support.looking import wait

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.observing import door
from wsgigroups.web import looking, pages
from wsgigroups.web.guarding import HEADERS


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PERIOD_S", 0.02)
    monkeypatch.setattr(looking, "REST", 0.0)
    monkeypatch.setattr(pages, "LOG_S", 0.01)


@pytest.fixture
def source() -> PlayedSource:
    return PlayedSource()


@pytest.fixture
def shown(source: PlayedSource) -> Iterator[DashboardInThread]:
    with DashboardInThread(source) as found:
        yield found
    assert not found.logged


def first(events: Iterator[tuple[str, Any]], kind: str, wanted: Any = lambda _data: True) -> Any:
    return next(data for name, data in events if name == kind and wanted(data))


def test_the_page_has_all_its_files_and_none_of_others(shown: DashboardInThread) -> None:
    stranger = DashboardClient(shown.port)
    found = {}
    for path in pages.FILES:
        status, head, body = stranger.ask("GET", path)
        assert status == 200
        for name, value in HEADERS.items():
            assert head[name] == value
        found[path] = body.decode()
    page = found["/"]
    named = set(re.findall(r'(?:src|href)="(/[^"]+)"', page))
    named |= {f"/{name}" for text in found.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    assert named == set(pages.FILES) - {"/"}
    assert not re.search(r"<script>|<style|style=|\bon\w+=", page), "nothing inline, which the policy forbids"
    for path, text in found.items():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), f"{path} fetches nothing from elsewhere"
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), path


def test_nothing_else_is_answered_without_a_session(shown: DashboardInThread, source: PlayedSource) -> None:
    looks = source.looks
    stranger, visitor = DashboardClient(shown.port), shown.visitor()
    half, other_half = DashboardClient(shown.port), DashboardClient(shown.port)
    half.cookie, other_half.key = visitor.cookie, visitor.key
    ways = [("GET", path) for path in ("/v1/stream", "/v1/charts", "/v1/groups/shop", "/v1/logs/shop", "/v1/changes/7")]
    for method, path in [*ways, ("POST", "/v1/actions"), ("DELETE", "/session"), ("GET", "/nothing")]:
        for client in (stranger, half, other_half):
            status, head, body = client.ask(method, path, {} if method == "POST" else None)
            assert status == 401, (method, path)
            assert head["Content-Security-Policy"]
            assert b"shop" not in body
    assert visitor.ask("GET", "/v1/groups/shop")[0] == 200
    assert source.looks == looks + 1, "a stranger does not keep a manager busy"


def test_a_link_is_used_once_and_its_cookie_is_for_no_script(shown: DashboardInThread) -> None:
    client, link = DashboardClient(shown.port), shown.link()
    status, answer = client.enter(link)
    assert (status, answer["acts"]) == (200, False)
    assert "HttpOnly" in answer["cookie"]
    assert "SameSite=Strict" in answer["cookie"]
    assert client.key not in answer["cookie"]
    again = DashboardClient(shown.port)
    for token in (link.partition("=")[2], "", "x", None, 7):
        assert again.ask("POST", "/session", {"token": token})[0] == 403
    assert again.ask("POST", "/session", [])[0] == 400
    assert again.ask("POST", "/session", {"token": "x"}, Content_Type="text/plain")[0] == 415
    assert again.ask("POST", "/session", {"token": "x" * pages.MAXIMUM_BODY_BYTES})[0] == 413


def test_a_session_ends_with_its_streams(shown: DashboardInThread) -> None:
    visitor = shown.visitor()
    with visitor.stream("/v1/stream") as events:
        first(events, "look")
        assert visitor.ask("DELETE", "/session")[0] == 200
        assert [name for name, _data in events][-1] == "bye"
    assert visitor.ask("GET", "/v1/charts")[0] == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_pages_of_others_act_with_no_session_of_ours(fields: dict[str, str | None], status: int) -> None:
    source = PlayedSource()
    with DashboardInThread(source, acts=True) as shown:
        visitor = shown.visitor()
        order = {"action": "restart", "group": "shop"}
        assert visitor.ask("POST", "/v1/actions", order, **fields)[0] == status
        assert source.acted == []
        assert visitor.ask("POST", "/v1/actions", order)[0] == 200
        assert source.acted == [("restart", {"groups": ["shop"]})]


def test_who_is_behind_a_tunnel_has_another_port(shown: DashboardInThread) -> None:
    visitor = shown.visitor()
    assert visitor.ask("GET", "/v1/charts", Host="localhost:8123")[0] == 200
    assert visitor.ask("DELETE", "/session", Host="localhost:8123", Origin="http://localhost:8123")[0] == 200


def test_it_changes_nothing_unless_it_may(shown: DashboardInThread, source: PlayedSource) -> None:
    visitor = shown.visitor()
    status, _head, body = visitor.ask("POST", "/v1/actions", {"action": "restart", "group": "shop"})
    assert (status, source.acted) == (403, [])
    assert b"only shows" in body


def test_orders_are_read_strictly() -> None:
    source = PlayedSource()
    with DashboardInThread(source, acts=True) as shown:
        visitor = shown.visitor()
        good = {"action": "scale", "group": "shop", "processes": 3}
        assert visitor.ask("POST", "/v1/actions", good)[0] == 200
        for odd in (
            *({**good, "processes": number} for number in (0, -1, 1.5, "3", True, None, 10**6)),
            *({"action": name, "group": "shop"} for name in ("shutdown", "stop", "../apply", None)),
            {"action": "restart", "group": 7},
            {"action": "restart"},
        ):
            assert visitor.ask("POST", "/v1/actions", odd)[0] == 400, odd
        assert source.acted == [("scale", {"processes": {"shop": 3}})]
        assert visitor.get("/v1/changes/7")["errors"][0].startswith("<img")


def test_a_stream_tells_looks_and_events(shown: DashboardInThread, source: PlayedSource) -> None:
    with shown.visitor().stream("/v1/stream") as events:
        assert next(events) == ("hello", {"acts": False})
        look = first(events, "look")
        assert look["stale"] == ""
        assert [row["name"] for row in look["groups"]] == ["shop"]
        assert [event["number"] for event in first(events, "events")] == [1]
        source.groups = [group_shown("shop", state="degraded"), group_shown("blog")]
        source.journal = [*source.journal, event_of(2, "died", text=EVIL)]
        assert len(first(events, "look", lambda data: len(data["groups"]) == 2)["groups"]) == 2
        (event,) = first(events, "events")
        assert (event["number"], event["kind"]) == (2, "died")
        assert "\x1b" not in event["text"]


def test_what_was_seen_stays_while_no_manager_answers(shown: DashboardInThread, source: PlayedSource) -> None:
    with shown.visitor().stream("/v1/stream") as events:
        first(events, "look")
        source.error = WsgigroupsError("cannot reach a manager", exit_code=ExitCode.NO_MANAGER)
        look = first(events, "look", lambda data: data["stale"])
        assert (look["stale"], look["groups"][0]["name"]) == ("cannot reach a manager", "shop")
        source.error = None
        first(events, "look", lambda data: not data["stale"])


def test_another_journal_is_told_from_its_beginning(shown: DashboardInThread, source: PlayedSource) -> None:
    source.journal = [event_of(number) for number in range(1, 6)]
    with shown.visitor().stream("/v1/stream") as events:
        assert len(first(events, "events")) == 5
        source.journal = [event_of(1, "manager-started")]
        first(events, "forget")
        assert [event["kind"] for event in first(events, "events")] == ["manager-started"]


def test_nobody_looks_while_no_page_is_open(source: PlayedSource) -> None:
    with DashboardInThread(source) as shown:
        visitor = shown.visitor()
        assert visitor.get("/v1/charts")["ages_s"] == []
        assert source.looks == 0
        with visitor.stream("/v1/stream") as events:
            first(events, "look")
        assert len(visitor.get("/v1/charts?group=shop")["per_s"]) >= 1
    with DashboardInThread(source, always=True):
        wait(lambda: source.looks > 3, lambda: "never looked")


def test_a_group_is_shown_closer(shown: DashboardInThread, source: PlayedSource) -> None:
    source.dead = [death_of(1)]
    visitor = shown.visitor()
    found = visitor.get("/v1/groups/shop")
    assert found["deaths"][0]["cause"] == "crashed"
    assert found["options"]["threads"] == "4"
    status, _head, body = visitor.ask("GET", "/v1/groups/%3Cnone%3E")
    assert status == 404
    assert b"cannot find group" in body


def test_a_log_is_followed_and_let_go(shown: DashboardInThread, source: PlayedSource) -> None:
    source.log += [f"line {number}" for number in range(pages.LINES + 3)]
    with shown.visitor().stream("/v1/logs/shop") as events:
        begun = first(events, "lines")
        assert (len(begun["lines"]), begun["left_out"]) == (pages.LINES, 3)
        source.log.append(EVIL + "x" * 10_000)
        (line,) = first(events, "lines")["lines"]
        assert line.startswith("<img")
        assert "\x1b" not in line
        assert len(line) < 3000
    wait(lambda: source.opened[0].closed, lambda: "the log was never let go")


def test_a_page_that_leaves_is_nobodys_mistake(shown: DashboardInThread, source: PlayedSource) -> None:
    def left() -> bool:
        source.log.append("one more")
        return source.opened[0].closed

    with shown.visitor().stream("/v1/logs/shop") as events:
        first(events, "lines")
    wait(left, lambda: "the log was never let go")
    assert not shown.logged


def test_a_log_that_says_nothing_is_let_go_with_its_page(
    shown: DashboardInThread, source: PlayedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "KEEP_S", float("inf"))  # nothing is written to the page that is gone
    with shown.visitor().stream("/v1/logs/shop") as events:
        first(events, "lines")
    wait(lambda: source.opened[0].closed, lambda: "the log was never let go")


def test_streams_are_few_and_the_oldest_leaves(
    shown: DashboardInThread, source: PlayedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "STREAMS", 2)
    visitor = shown.visitor()
    with visitor.stream("/v1/stream") as oldest, visitor.stream("/v1/stream") as other:
        first(oldest, "look")
        with visitor.stream("/v1/stream") as newest:
            first(newest, "look")
            first(other, "look")
            with suppress(ConnectionError, http.client.IncompleteRead):
                list(oldest)  # it comes to an end


def test_a_stream_stays_and_who_says_nothing_does_not(source: PlayedSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "STAY_S", 0.3)
    with DashboardInThread(source) as shown, shown.visitor().stream("/v1/stream") as events:
        first(events, "look")
        with socket.create_connection(("127.0.0.1", shown.port), timeout=20) as silent:
            assert silent.recv(1) == b""
        looks = source.looks
        first(events, "look", lambda _data: source.looks > looks)
        for _ in range(2 * door.PLACES):  # and nobody has to make room for those who come
            assert DashboardClient(shown.port).ask("GET", "/v1/charts")[0] == 401
        first(events, "look")


def test_a_mistake_of_ours_is_told_and_ends_no_stream(source: PlayedSource) -> None:
    with DashboardInThread(source) as shown:
        visitor = shown.visitor()
        with visitor.stream("/v1/stream") as events:
            first(events, "look")
            source.groups = [{"name": "odd"}]
            assert "traceback" in first(events, "look", lambda data: data["stale"])["stale"]
            source.groups = [group_shown("shop")]
            first(events, "look", lambda data: not data["stale"])
        source.dead = [{"odd": 1}]
        assert visitor.ask("GET", "/v1/groups/shop")[0] == 500
        told = [line for line in shown.logged if "[BUG]" in line]
        assert len(told) == 2
        shown.logged.clear()
