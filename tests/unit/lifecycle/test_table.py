"""The table is total, every state can be reached and left, deadlines stand exactly where OVERDUE is handled."""

from __future__ import annotations

import pytest

from wsgigroups.lifecycle.status import PROCESS_STATE
from wsgigroups.lifecycle.table import IGNORE, IMPOSSIBLE, TABLE, TIMER, Action, EventKind, Tenancy, Timer, Transition


def test_every_cell_is_filled() -> None:
    assert set(TABLE) == set(Tenancy)
    for state, row in TABLE.items():
        assert set(row) == set(EventKind), state
        for cell in row.values():
            assert cell in (IGNORE, IMPOSSIBLE) or isinstance(cell, Transition)


def test_every_state_is_reachable_from_absent() -> None:
    reached, todo = {Tenancy.ABSENT}, [Tenancy.ABSENT]
    while todo:
        for cell in TABLE[todo.pop()].values():
            if isinstance(cell, Transition) and cell.state not in reached:
                reached.add(cell.state)
                todo.append(cell.state)
    assert reached == set(Tenancy)


@pytest.mark.parametrize("state", Tenancy)
def test_a_deadline_exists_exactly_where_overdue_is_handled(state: Tenancy) -> None:
    handled = isinstance(TABLE[state][EventKind.OVERDUE], Transition)
    assert handled == (TIMER[state] is not Timer.NONE)


@pytest.mark.parametrize("state", set(Tenancy) - {Tenancy.ABSENT})
def test_wanting_down_and_the_exit_lead_every_state_to_absent(state: Tenancy) -> None:
    cell = TABLE[state][EventKind.WANT_DOWN]
    after = cell.state if isinstance(cell, Transition) else state
    for _ in range(3):
        if after is Tenancy.ABSENT:
            return
        exited = TABLE[after][EventKind.EXITED]
        assert isinstance(exited, Transition)
        after = exited.state
    assert after is Tenancy.ABSENT


def test_entering_killing_always_kills_unless_it_was_killed_before() -> None:
    for state, row in TABLE.items():
        for cell in row.values():
            if isinstance(cell, Transition) and cell.state in (Tenancy.KILLING, Tenancy.ABORTING):
                assert cell.action is Action.KILL or state is Tenancy.ABORTING


def test_every_state_has_a_public_word() -> None:
    assert set(PROCESS_STATE) == set(Tenancy)
    words = set(PROCESS_STATE.values()) - {None}
    assert words == {"starting", "ready", "draining", "stopping", "backoff", "failed"}
