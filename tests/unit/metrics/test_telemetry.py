"""The datagrams of telemetry-service, read by the package that they are for."""

from __future__ import annotations

from typing import Any

import pytest
from mod_wsgi.telemetry import wire
from mod_wsgi.telemetry.ingest import Ingester
from mod_wsgi.telemetry.tui import _hdr_percentile

from wsgigroups.metrics import telemetry
from wsgigroups.metrics.telemetry import Observation, Whose
from wsgigroups.runtime.wire.board import WORD

WHOSE = Whose(4711, "blog", "host", 99, "1.0", "3.11.2", threads=4, slow_s=1.0, switch_interval_s=0.005)
SECOND = 10**9


def look(at_s: float, busy: dict[int, int] | None = None, **words: int) -> Observation:
    values = {**dict.fromkeys(WORD, 0), **words}
    return Observation(int(at_s * SECOND), values, busy or {}, at_s / 2, at_s / 4, 1000, {0: "GET /report"})


def read_back(fields: Any, kind: int = telemetry.REQUEST) -> wire.Sample:
    return wire.decode(telemetry.datagram(kind, WHOSE.pid, 7, 1234.5, fields))


def between(before: Observation, now: Observation) -> dict[str, Any]:
    return read_back(telemetry.sample(WHOSE, before, now, 1.0, 500)).fields


def test_every_number_and_name_is_theirs() -> None:
    assert {name: wire.FIELD_IDS[name] for name in telemetry.NUMBERS} == telemetry.NUMBERS
    kinds = telemetry.REQUEST, telemetry.SLOW_REQUEST, telemetry.STARTED, telemetry.STOPPING, telemetry.STOPPED
    assert [wire.KIND_NAMES[kind] for kind in kinds] == [
        *("request_metrics", "slow_request", "process_started", "process_stopping", "process_stopped")
    ]


def test_a_sample_says_what_a_process_did_in_between() -> None:
    before = look(10.0, requests_total=5, application_time_ns=SECOND, status_2xx=5, received_bytes=1, sent_bytes=2)
    now = look(
        *(12.0, {2: int(11.5 * SECOND)}),
        requests_total=15, application_time_ns=3 * SECOND, queue_time_ns=SECOND, status_2xx=14, status_5xx=1,
        received_bytes=101, sent_bytes=2002,
    )  # fmt: skip
    sample = read_back(telemetry.sample(WHOSE, before, now, 1.0, 500))
    assert (sample.kind_name, sample.pid, sample.seq, sample.stamp) == ("request_metrics", 4711, 7, 1234.5)
    fields = sample.fields
    assert (fields["process_group"], fields["python_version"]) == (b"blog", b"3.11.2")
    assert (fields["request_count"], fields["request_throughput"], fields["sample_period"]) == (10, 5.0, 2.0)
    assert (fields["status_2xx_total"], fields["status_5xx_total"]) == (9, 1)
    assert (fields["input_bytes_total"], fields["output_bytes_total"]) == (100, 2000)
    assert (fields["application_time"], fields["queue_time"], fields["request_time"]) == pytest.approx((0.2, 0.1, 0.3))
    assert (fields["cpu_user_utilization"], fields["cpu_utilization"]) == (0.5, 0.75)
    assert (fields["memory_rss"], fields["memory_max_rss"]) == (1000, 1000)
    # two seconds of what has ended and half a second of what runs, in two seconds of four threads
    assert fields["capacity_utilization"] == pytest.approx(2.5 / 8)
    assert (fields["request_threads_active"], fields["request_threads_maximum"]) == (1, 4)
    assert fields["request_threads_current_elapsed"] == [0.0, 0.0, 0.5, 0.0]
    assert sum(fields["request_threads_busy_time"]) == pytest.approx(2.5)
    assert max(fields["request_threads_busy_time"]) <= 2.0


def test_percentiles_are_at_most_the_bounds_of_the_board() -> None:
    now = look(2.0, application_within_1_ms=90, application_within_50_ms=9, application_longer=1, requests_total=100)
    buckets = between(look(1.0), now)["application_time_buckets"]
    assert len(buckets) == 65
    assert sum(buckets) == 100
    found_s = [_hdr_percentile(buckets, percent) for percent in (50, 95, 99.9)]
    assert found_s[0] <= 0.00125  # their first range
    assert 0.04 <= found_s[1] <= 0.056
    assert 8.192 <= found_s[2] <= 16.384


@pytest.mark.parametrize(
    ("ms", "place"), [(0, 0), (0.9, 0), (1, 0), (1.3, 1), (2, 4), (3.9, 7), (20, 17), (65535, 63), (1e9, 64)]
)
def test_their_ranges(ms: float, place: int) -> None:
    assert telemetry.place_of(ms) == place


def test_a_board_that_lies_makes_numbers_that_can_be_read() -> None:
    most = 2**64 - 1
    lie = Observation(SECOND, dict.fromkeys(WORD, most), {0: most, 1: 1, 900: 5})
    honest = look(2.0)
    for before, now in ((lie, honest), (honest, lie), (lie, lie)):
        fields = between(before, now)
        assert fields["request_count"] in (0, 2**53 - 1)
        assert 0.0 <= fields["capacity_utilization"] <= 1.0
        assert fields["request_threads_active"] <= 4


def test_a_slow_request_is_one_record_until_it_is_over() -> None:
    service = Ingester("unix:/nowhere")
    service._handle(telemetry.datagram(telemetry.STARTED, 4711, 0, 1.0, telemetry.identity(WHOSE)))
    now = look(5.0, {0: 2 * SECOND, 1: int(4.5 * SECOND)})
    (key,) = found = telemetry.slow_requests(WHOSE, now, 1000.0)
    assert key == (0, 2 * SECOND)
    later = telemetry.slow_requests(WHOSE, look(6.0, {0: 2 * SECOND}), 1000.0)
    for fields in (found[key], later[key], telemetry.ended(later[key])):
        service._handle(telemetry.datagram(telemetry.SLOW_REQUEST, 4711, 1, 2.0, fields))
    (entry,) = service.slow_requests.values()
    assert (entry.method, entry.path_info, entry.state) == ("GET", "/report", 1)
    assert (entry.start_stamp, entry.duration) == (1002.0, 4.0)
    assert service.decode_errors == 0
    assert telemetry.slow_requests(Whose(1, "a", "", 0, "", "", 4), now, 0.0) == {}
