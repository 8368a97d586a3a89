"""Text of metrics, read back by the parsers of prometheus_client."""

from __future__ import annotations

import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from support.measured_facts import MANAGER, WORDS_OF_ONE, facts

from wsgigroups.metrics.exposition import exposition
from wsgigroups.metrics.facts import Facts, GroupFacts
from wsgigroups.metrics.table import COUNTED, OF_GROUP, OF_PROCESS
from wsgigroups.runtime.wire.histograms import APPLICATION, HISTOGRAMS
from wsgigroups.runtime.wire.words import COUNTER, MOMENT, WORDS


def samples(text: str, *, openmetrics: bool = True) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    read = read_openmetrics if openmetrics else read_text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("openmetrics", [True, False])
def test_both_forms_say_the_same_and_are_read_by_their_parser(openmetrics: bool) -> None:
    found = samples("".join(exposition(facts(), openmetrics=openmetrics)), openmetrics=openmetrics)
    group = (("group", "blog"),)
    assert found["wsgigroups_requests_total", (*group, ("status", "2xx"))] == 100 + WORDS_OF_ONE["status_2xx"]
    assert found["wsgigroups_ends_total", (("cause", "crashed"), *group)] == 2
    assert found["wsgigroups_cpu_seconds_total", group] == 3.5
    assert found["wsgigroups_build_info", (("python", "3.11.2"), ("version", "1.2"))] == 1
    assert found["wsgigroups_certificate_left_seconds", (("file", '/etc/"odd"\n\\name.crt'),)] == 12.5
    assert found["wsgigroups_process_cpu_seconds_total", (*group, ("life", "9"), ("slot", "1"))] == 1.5
    assert found["wsgigroups_group_state", (*group, ("state", "ready"))] == 1


def test_a_histogram_is_cumulative_and_ends_with_all() -> None:
    found = samples("".join(exposition(facts())))
    buckets = {
        float(dict(labels)["le"]): value
        for (name, labels), value in found.items()
        if name.endswith("cation_seconds_bucket")
    }
    assert len(buckets) == len(APPLICATION.bounds_ns) + 1
    assert sorted(buckets.values()) == [buckets[bound] for bound in sorted(buckets)]
    assert buckets[math.inf] == found["wsgigroups_application_seconds_count", (("group", "blog"),)]
    assert buckets[math.inf] == 3 + sum(WORDS_OF_ONE[name] for name in APPLICATION.word_names)


def test_every_counter_of_the_board_is_told_and_no_name_twice() -> None:
    counters = {word.name for word in WORDS if word.kind == COUNTER and word.unit != MOMENT}
    assert counters - set(COUNTED) == {"requests_total"}, "a counter that no metric has"  # it is a histogram's count
    names = [metric.name for metric, _read in (*OF_GROUP, *OF_PROCESS)]
    assert len({*names, *(f"{h.phase}_seconds" for h in HISTOGRAMS)}) == len(names) + len(HISTOGRAMS)


def test_a_group_without_processes_keeps_what_they_have_counted() -> None:
    group = GroupFacts("gone", "stopped", 0, 0, 1, 0, False, True, {"status_5xx": 7})
    found = samples("".join(exposition(Facts(MANAGER, (group,)))))
    assert found["wsgigroups_requests_total", (("group", "gone"), ("status", "5xx"))] == 7
    assert found["wsgigroups_requests_active", (("group", "gone"),)] == 0
    assert ("wsgigroups_utilisation_ratio", (("group", "gone"),)) not in found


def test_a_manager_without_groups_has_whole_text() -> None:
    text = "".join(exposition(Facts(MANAGER)))
    assert text.endswith("# EOF\n")
    assert samples(text)["wsgigroups_manager_revision", ()] == 7
