"""Metrics as single numbers, with the names that StatsD has for them."""

from __future__ import annotations

from wsgigroups.metrics.facts import Facts, GroupFacts, ManagerFacts, ProcessFacts
from wsgigroups.metrics.points import Growth, points, statsd_name
from wsgigroups.runtime.wire.board import WORD

MANAGER = ManagerFacts("1.0", "3.11", 3, 12.5, 0, stopping=False, cpu_s=1.5, rss_bytes=1000)
WORDS = {**dict.fromkeys(WORD, 0), "status_2xx": 7, "application_within_1_ms": 5, "application_longer": 2}
WORDS["application_time_ns"] = 3 * 10**9
GROUP = GroupFacts(
    *("my.blog", "ready", 2, 1, 10, 4),
    rolling=False,
    proved=True,
    ended={"status_2xx": 3},
    processes=(ProcessFacts(1, 7, WORDS, cpu_s=2.0),),
)


def test_each_has_a_name_a_unit_and_what_it_is_of() -> None:
    found = {statsd_name(point): point for point in points(Facts(MANAGER, (GROUP,)))}
    requests = found["wsgigroups.my_blog.requests.2xx"]
    assert (requests.value, requests.counts, requests.labels) == (10, True, (("group", "my.blog"), ("status", "2xx")))
    assert found["wsgigroups.my_blog.application_count"].value == 7
    application = found["wsgigroups.my_blog.application_seconds"]
    assert (application.value, application.unit, application.counts) == (3.0, "s", True)
    ready = found["wsgigroups.my_blog.processes_ready"]
    assert (ready.name, ready.value, ready.counts) == ("wsgigroups_processes_ready", 1, False)
    assert found["wsgigroups.manager_revision"].value == 3
    assert found["wsgigroups.manager_resident_memory_bytes"].unit == "By"
    assert len(found) == len(list(points(Facts(MANAGER, (GROUP,))))), "no two have one name"


def test_what_counts_is_told_by_its_growth() -> None:
    growth = Growth()
    assert [growth.of("a", value) for value in (100, 103, 103, 2, 5)] == [0, 3, 0, 2, 3]
    assert growth.of("b", 7) == 0
