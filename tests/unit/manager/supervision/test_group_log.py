"""Lines about a group are so many a second, those about the manager itself are not counted."""

from __future__ import annotations

from wsgigroups.manager.supervision.group_log import LINES_PER_S, GroupLog


def test_one_group_cannot_hide_another_and_is_told_what_it_lost() -> None:
    lines: list[str] = []
    now_s = 5.0
    log = GroupLog(lambda _level, text: lines.append(text), lambda: now_s)
    for number in range(LINES_PER_S + 30):
        log.log("a", "info", f"a {number}")
    log.log("b", "info", "b")
    log.log("", "info", "the manager")
    assert lines == [*(f"a {number}" for number in range(LINES_PER_S)), "b", "the manager"]
    now_s = 6.0
    log.log("a", "info", "a again")
    assert lines[-2:] == [f"a: 30 lines were left out, more than {LINES_PER_S} came in a second", "a again"]
    log.forget("a")
