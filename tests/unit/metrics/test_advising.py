"""`advise`: which option, which number, and that the sentence has the arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wsgigroups.metrics.advising import MIB, Advice, Report, WorkDone, advise

CALM = WorkDone(
    "blog", processes=2, threads=10, process_s=200.0, requests=10_000, application_s=800.0, queue_s=1.0, cpu_s=60.0,
    wakes=1000, late_s=0.1, pss_bytes=50 * MIB,
)  # fmt: skip


def advised(processors: float = 8, memory: int = 8192 * MIB, **changes: Any) -> Report:
    return advise(replace(CALM, **changes), processors, memory)


def only(report: Report) -> Advice:
    (found,) = report.advice
    return found


def test_what_is_fine_is_left_as_it_is() -> None:
    report = advised()
    assert report.advice == ()
    assert "leave it" in report.fine
    assert report.shares["busy"] == pytest.approx(800 / 2000)
    assert "800.0 s in the application ÷ 200.0 s of processes × 10" in report.figures[0]


def test_too_few_requests_say_nothing() -> None:
    assert "5 requests are too few" in advised(requests=5, queue_s=100.0).fine


def test_requests_that_wait_while_the_processor_does_not_want_threads() -> None:
    found = only(advised(queue_s=500.0, application_s=1900.0, cpu_s=20.0))
    assert (found.option, found.now, found.advised) == ("threads", "10", "14")
    assert "10 × max(95% busy ÷ 70%, 1.25) = 14" in found.why
    assert only(advised(unserved=1, cpu_s=20.0)).option == "threads"


def test_requests_that_wait_for_a_processor_want_processes() -> None:
    found = only(advised(queue_s=500.0, cpu_s=190.0))
    assert (found.option, found.advised) == ("processes", "3")
    assert "2 × 95% ÷ 70% = 2.7" in found.why
    late = only(advised(queue_s=500.0, cpu_s=100.0, late_s=5.0))
    assert (late.option, late.advised) == ("processes", "3")
    assert "5.0 ms for each other" in late.why


def test_neither_more_processors_nor_more_memory_than_there_are() -> None:
    full = only(advised(processors=2, queue_s=500.0, cpu_s=190.0))
    assert (full.option, full.advised) == ("processes", None)
    assert "all 2 processors" in full.why
    tight = only(advised(memory=125 * MIB, queue_s=500.0, cpu_s=190.0))
    assert tight.advised is None
    assert "memory for 2 (125 MiB × 80% ÷ 50 MiB)" in tight.why


def test_work_on_the_processor_wants_few_threads() -> None:
    found = only(advised(application_s=150.0, cpu_s=140.0, late_s=4.0))
    assert (found.option, found.advised) == ("threads", "4")
    assert "93% of the time" in found.why


def test_what_lies_idle_is_said_with_what_it_saves() -> None:
    found = only(advised(processes=8, process_s=800.0, application_s=80.0, cpu_s=40.0))
    assert (found.option, found.advised) == ("processes", "2")
    assert "saves 300 MiB" in found.why
    assert advised(processes=1, process_s=100.0, application_s=1.0, cpu_s=1.0).advice == ()


def test_processes_that_are_larger_than_the_memory() -> None:
    found = only(advised(memory=100 * MIB))
    assert (found.option, found.advised) == ("processes", "1")
    assert only(advised(memory=50 * MIB, processes=1)).option == "memory-soft-limit"


def test_slow_clients_are_named_where_nothing_else_is() -> None:
    assert only(advised(send_s=500.0)).option == "response-buffer-size"


@pytest.mark.parametrize("zero", ["process_s", "wakes", "application_s", "pss_bytes", "processes", "cpu_s"])
def test_nothing_is_divided_by_nothing(zero: str) -> None:
    assert advised(**{zero: 0}).figures
