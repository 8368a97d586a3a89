"""Every word of the board is read by somebody, and what a tenant writes there becomes harmless numbers."""

from __future__ import annotations

import json
import os
import struct
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wsgigroups.lifecycle.step import Record
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.manager.control import views
from wsgigroups.manager.control.figures import ADDED, MOST, ProcessFigures, of_group, of_process
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wire.words import BYTES, CODE, COUNTER, DURATION, LEVEL, MOMENT, NUMBER, SHOWN, WORDS

NOW_NS = 5_000_000_000_000
EVERY = 2**64 - 1
WORD_VALUES = st.fixed_dictionaries(
    {word.name: st.integers(0, EVERY) | st.sampled_from([0, 1, EVERY]) for word in WORDS}
)


def test_the_table_of_words_is_sound() -> None:
    for what in ([word.name for word in WORDS], [word.index for word in WORDS], [word.key for word in SHOWN]):
        assert len(set(what)) == len(what)
    assert max(word.index for word in WORDS) < board.BUSY_WORD
    assert {word.name: word.index for word in WORDS} == board.WORD
    for word in WORDS:
        assert word.unit in (NUMBER, BYTES, DURATION, MOMENT, CODE)
        assert word.kind in (COUNTER, LEVEL)
        assert word.meaning
        assert word.writer


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_every_word_is_shown_or_says_who_reads_it(word: Any) -> None:
    assert bool(word.key) != bool(word.reader), "shown in the status, or internal with a reason"
    if word.key:
        values = {word.name: 1_500_000_000}
        assert getattr(of_process(values, 2_000_000_000), word.key) == {DURATION: 1.5, MOMENT: 0.5}.get(
            word.unit, 1_500_000_000
        )


@given(WORD_VALUES, WORD_VALUES)
def test_whatever_a_tenant_writes_every_reader_of_json_keeps(first: dict[str, int], second: dict[str, int]) -> None:
    processes = [of_process(values, NOW_NS) for values in (first, second)]
    for model in (*processes, of_group(processes)):
        figures = model.model_dump()
        assert json.loads(json.dumps(figures, allow_nan=False)) == figures
        for value in figures.values():
            assert value is None or 0 <= value <= max(MOST, 2 * EVERY / 1e9)
            assert not isinstance(value, int) or value <= MOST


def test_moments_are_ages() -> None:
    values = {"heartbeat_ns": NOW_NS + 1, "last_activity_ns": NOW_NS - 1_250_000_000}
    figures = of_process(values, NOW_NS)
    assert (figures.heartbeat_age_s, figures.last_activity_age_s, figures.loading_s) == (0.0, 1.25, None)


def test_the_figures_are_typed() -> None:
    known = of_process({}, NOW_NS).model_dump()
    with pytest.raises(ValidationError):
        ProcessFigures(**{**known, "requests_total": -1})
    with pytest.raises(ValidationError):
        ProcessFigures(**known, another=1)
    for word in SHOWN:
        said = ProcessFigures.model_json_schema()["properties"][word.key]
        assert (said["description"], said["x-kind"]) == (word.meaning, word.kind)


def test_the_status_has_the_figures_of_each_process_and_their_sum() -> None:
    """From a real board, whose words are their own indices, and from a process that has none."""
    fd = board.create(4, "wsgigroups-test")
    try:
        os.pwrite(fd, struct.pack(f"<{len(WORDS) - 3}Q", *range(3, len(WORDS))), 3 * 8)
        snapshot = board.read(fd, 4)
    finally:
        os.close(fd)
    records = [Record("blog", slot, slot, "f", state=Tenancy.READY, pid=0, spawned_at=1.0) for slot in (1, 2)]
    info = {"started_at": "2026-01-01T00:00:00Z"}
    seen = {
        slot: SimpleNamespace(info=info, pid=0, exited=False, confined=None, snapshot=lambda found=found: found)
        for slot, found in ((1, snapshot), (2, None))
    }
    shell = cast("Any", SimpleNamespace(processes=seen))
    seen_by_people = [cast("Any", views.process_view(shell, record)) for record in records]
    first, second = (view.model_dump() for view in seen_by_people)
    total = of_group(seen_by_people).model_dump()
    assert {word.key for word in SHOWN} <= first.keys()
    for word in ADDED:
        expected = round(word.index / 1e9, 6) if word.unit == DURATION else word.index
        assert (first[word.key], second[word.key], total[word.key]) == (expected, 0, expected)
    assert first["heartbeat_age_s"] > second["uptime_s"] > 0
    assert second["heartbeat_age_s"] is None
