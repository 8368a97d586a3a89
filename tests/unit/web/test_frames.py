"""What the page is told: clean, and no more than it shows."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from support.dashboards import EVIL, PlayedSource, death_of, event_of, group_shown, process_of

from wsgigroups.web import frames


def closer(group: dict[str, Any], busy: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    source = PlayedSource()
    source.busy = busy or []
    return frames.closer(group, None, asyncio.run(source.group("shop")), [death_of(1), death_of(2)])


def test_a_row_has_totals() -> None:
    processes = [process_of(1, 3), process_of(2, 4, pss_bytes=0, rss_bytes=7)]
    found = frames.row(group_shown("shop", processes=processes, processes_ready=2), None)
    assert found["memory_bytes"] == 44_000_007
    assert found["places"] == 8
    assert found["addresses"] == ["http://127.0.0.1:8000"]
    assert found["error"] is None


def test_what_fails_has_its_error_and_what_is_ready_has_none() -> None:
    error = {"message": EVIL, "traceback": f"Traceback\n  {EVIL}"}
    failed = frames.row(group_shown("shop", state="failed", last_error=error), None)
    assert failed["error"].startswith("<img")
    assert "\x1b" not in failed["error"]
    assert frames.row(group_shown("shop", last_error=error), None)["error"] is None
    assert closer(group_shown("shop", state="failed", last_error=error))["traceback"].count("\n") == 1


def test_everything_that_tenants_write_is_clean() -> None:
    frame = {"place": EVIL, "function": EVIL}
    busy = [{"thread": 0, "asked": EVIL, "age_s": 1.0, "frame": frame}, {**_plain(), "thread": 1}]
    found = closer(group_shown("shop", processes=[process_of(1, 3, last_exit=EVIL)]), busy)
    assert found["processes"][0]["busy"][0]["place"].count("<img") == 2
    assert found["processes"][0]["busy"][1]["place"] == ""
    told = json.dumps([found, frames.event(event_of(1, text=EVIL, group=EVIL))])
    assert "u001b" not in told
    assert "x1b" in told, "it is there, as characters that can be seen"


def _plain() -> dict[str, Any]:
    return {"asked": "GET /", "age_s": 0.1, "frame": None}


def test_the_newest_death_is_first_and_variables_have_no_values() -> None:
    found = closer(group_shown("shop"))
    assert [death["life"] for death in found["deaths"]] == [2, 1]
    assert found["variables"] == ["DATABASE_URL"]
    assert found["processes"][0]["memory_bytes"] == 44_000_000
