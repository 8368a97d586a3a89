"""`advise`: what is taken of two looks at the status, and what people read."""

from __future__ import annotations

from typing import Any

from wsgigroups.cli.advise import as_data, sentences, work_of
from wsgigroups.metrics.advising import advise


def process(life: int, **figures: float) -> dict[str, Any]:
    counters = ("requests_total", "application_time_s", "queue_time_s", "send_time_s", "cpu_s", "wakes", "late_s")
    zeros = dict.fromkeys((*counters, "queue_timeouts", "refused", "slow_requests", "pss_bytes", "rss_bytes"), 0)
    return {**zeros, "life": life, "state": "ready", "uptime_s": 100.0, **figures}


def group(*processes: dict[str, Any]) -> Any:
    return {"name": "blog", "threads": 10, "processes": list(processes)}


def test_the_whole_life_of_what_is_ready_counts() -> None:
    work = work_of(
        group(
            process(1, requests_total=5, cpu_s=2.0, pss_bytes=7),
            process(2, requests_total=6, rss_bytes=9, refused=1),
            {**process(3), "state": "starting"},
        ),
        None,
    )
    assert (work.processes, work.requests, work.process_s, work.cpu_s) == (2, 11, 200.0, 2.0)
    assert (work.pss_bytes, work.unserved) == (9, 1)


def test_of_a_watch_only_what_came_in_it_counts_also_of_processes_that_came_in_it() -> None:
    before = group(process(1, requests_total=1000, uptime_s=100.0))
    now = group(process(1, requests_total=1010, uptime_s=110.0), process(2, requests_total=3, uptime_s=4.0))
    work = work_of(now, before)
    assert (work.requests, work.process_s) == (13, 14.0)


def test_people_and_programs_get_the_same() -> None:
    work = work_of(group(process(1, requests_total=1000, queue_time_s=90.0, application_time_s=990.0, cpu_s=5.0)), None)
    report = advise(work, 4, 2**33)
    text = "\n".join(sentences(report))
    assert "blog: 1 process of 10 threads, 1000 requests" in text
    assert "→ threads = 15  (now 10)" in text
    assert as_data(report)["advice"][0]["advised"] == "15"
    few = "\n".join(sentences(advise(work_of(group(), None), 4, 2**33)))
    assert "0 requests are too few" in few
