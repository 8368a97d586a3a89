"""How deaths are told: a sentence each, what the process was doing below it, nothing that a terminal would obey."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from click.testing import CliRunner

from wsgigroups.cli import deaths
from wsgigroups.cli.main import cli
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.core.deaths import Cause, Death, RequestAtDeath
from wsgigroups.manager.core.stacks import Frame
from wsgigroups.manager.death_store import DeathStore

NOW_S = 1_780_000_000.0  # 2026-05-28T20:26:40Z


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(deaths, "time", SimpleNamespace(time=lambda: NOW_S))
    yield
    monkeypatch.undo()
    time.tzset()


def death(**changes: Any) -> Any:
    frame = {"kind": "application", "place": "/srv/shop/app.py:46", "function": "crash", "count": 1}
    fold = {"kind": "library", "place": "ctypes", "function": "", "count": 1}
    request = {"asked": "GET /segv", "age_s": 0.04, "thread": 0, "frame": frame, "stack": [frame, fold]}
    values = {
        "at": "2026-05-28T20:26:39.500Z", "group": "shop", "slot": 1, "life": 7, "pid": 16008, "up_s": 1.6,
        "cause": "crashed", "asked": False, "reason": None, "message": "killed by signal 11", "step": None,
        "exit_code": None, "signal": "SIGSEGV", "managed": True, "requests": [request], "requests_total": 1,
        "stack": [frame, fold], "rss_bytes": 31 * 2**20, "cpu_s": 0.12, "revision": 3, "log": ["Fatal\tPython error"],
    }  # fmt: skip
    return {**values, **changes}


def test_a_crash_as_a_sentence() -> None:
    assert deaths.sentence(death()) == (
        "20:26:39 shop/1 (pid 16008, up 1.6 s) crashed: SIGSEGV, while answering GET /segv"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"at": "2026-05-27T20:26:39.500Z"}, "2026-05-27 20:26:39 shop/1"),
        ({"requests_total": 3}, "while answering GET /segv and 2 other requests"),
        ({"requests_total": 2, "requests": []}, "SIGSEGV, while answering 2 requests"),
        ({"requests_total": 0, "requests": []}, "crashed: SIGSEGV"),
        ({"cause": "killed", "signal": "SIGKILL", "managed": False}, "was killed: SIGKILL, while no manager ran"),
        ({"cause": "exited", "exit_code": 3}, "exited by itself: exit code 3"),
        ({"cause": "not-started", "message": "cannot load"}, "did not start: cannot load"),
        ({"cause": "request-timeout", "message": "request-timeout: 9 s"}, "was ended: request-timeout: 9 s"),
        ({"cause": "recycled", "reason": "maximum-requests", "asked": True}, "was recycled: maximum-requests"),
        ({"cause": "cut-off", "reason": "stop", "asked": True}, "was cut off on its way out: stop"),
        ({"pid": None, "up_s": None}, "shop/1 crashed"),
        ({"up_s": 200.0}, "up 3 min"),
        ({"up_s": 4000.0}, "up 1 h 6 min"),
        ({"up_s": 400000.0}, "up 4 d"),
    ],
)
def test_sentences(changes: dict[str, Any], text: str) -> None:
    assert text in deaths.sentence(death(**changes))


@pytest.mark.parametrize("cause", get_args(Cause))
def test_each_cause_has_words(cause: str) -> None:
    assert cause == "crashed" or "crashed" not in deaths.sentence(death(cause=cause, message="m", reason="r"))


def test_below_it_stands_where_it_was_and_with_stacks_all_of_it() -> None:
    assert list(deaths.sentences([death()], stacks=False))[1:] == [
        "      GET /segv for 0.0 s, in /srv/shop/app.py:46 in crash",
        "      life 7, revision 3, at most 31 MiB resident, 0.12 s of processor time",
    ]
    assert list(deaths.sentences([death()], stacks=True))[2:] == [
        "          /srv/shop/app.py:46 in crash",
        "          (1 call in ctypes)",
        "      life 7, revision 3, at most 31 MiB resident, 0.12 s of processor time",
        "      its log:",
        "          Fatal\tPython error",
    ]
    elsewhere = death(requests=[], requests_total=0)
    assert "      in /srv/shop/app.py:46 in crash" in deaths.sentences([elsewhere], stacks=False)
    assert "      where it was:" in deaths.sentences([elsewhere], stacks=True)
    assert len(list(deaths.sentences([death(cause="stopped", asked=True)], stacks=False))) == 1


def test_nothing_in_it_is_obeyed_by_a_terminal() -> None:
    evil = "\x1b[2J\n\u202e"
    frame = {"kind": "application", "place": evil, "function": evil, "count": 1}
    request = {"asked": evil, "age_s": 1.0, "thread": 0, "frame": frame, "stack": [frame]}
    texts = {"group": evil, "message": evil, "signal": evil, "log": [evil], "requests": [request], "stack": [frame]}
    for line in deaths.sentences([death(**texts), death(**texts, cause="exited")], stacks=True):
        assert line.isprintable()


def kept(directory: Path) -> None:
    store = DeathStore(directory, lambda _level, _text: None)
    frame = Frame("application", "/srv/app.py:3", "pay")
    for life, slot in ((1, 1), (2, 2), (3, 1)):
        request = RequestAtDeath("GET /pay", 1.0, 0, (frame,))
        store.record(Death(NOW_S, "shop", slot, life, 9, "crashed", signal="SIGSEGV", requests=(request,)))


def why(directory: Path, *arguments: str) -> tuple[int, str]:
    where = [f"--{name}-dir={directory}" for name in ("run", "state")]
    done = CliRunner().invoke(cli, [*where, "why", *arguments], obj={})
    code = done.exception.exit_code if isinstance(done.exception, WsgigroupsError) else done.exit_code
    return int(code), done.stdout


def test_without_a_manager_it_shows_what_the_last_one_has_left(tmp_path: Path) -> None:
    kept(tmp_path)
    code, text = why(tmp_path, "shop/1", "-o", "json")
    assert code == 0
    (group,) = json.loads(text)["groups"]
    assert [item["life"] for item in group["deaths"]] == [1, 3]
    assert group["deaths"][0]["requests"][0]["frame"]["function"] == "pay"
    code, text = why(tmp_path, "shop", "--last", "2")
    assert (code, text.count("crashed: SIGSEGV")) == (0, 2)
    assert why(tmp_path, "blog")[0] == ExitCode.NO_MANAGER


def test_a_manager_of_an_earlier_version_knows_of_no_deaths() -> None:
    class Earlier:
        code = ExitCode.USAGE

        def deaths(self, query: str) -> Any:
            raise WsgigroupsError(f"cannot GET /v1/deaths{query}: Not Found", exit_code=self.code)

    client: Any = Earlier()
    assert deaths.asked_for(client, "shop", 0, 10) == []
    client.code = ExitCode.NOT_PERMITTED
    with pytest.raises(WsgigroupsError, match="group=shop&slot=0&limit=10"):
        deaths.asked_for(client, "shop", 0, 10)
