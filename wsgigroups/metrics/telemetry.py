"""What mod_wsgi's telemetry service reads: samples of processes in the datagrams of mod_wsgi 6.

Pure: looks at a process go in, datagrams come out. The layout is that of the package mod_wsgi-telemetry (`wire.py`),
whose web page and terminal monitor show them: a header, then fields, each with its number and type. What no board says
is left out, which the service takes for not measured. All of a board is a tenant's word, so every number is bounded.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.runtime.wire.histograms import APPLICATION, QUEUE, SEND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgigroups.runtime.wire.histograms import Histogram

REQUEST, SLOW_REQUEST, STARTED, STOPPING, STOPPED = 2, 4, 5, 6, 7  # kinds of datagrams
VERSION = 1
_HEADER, _FIELD = struct.Struct("<4sBBHIId"), struct.Struct("<HB")
_U64, _F64, _BYTES, _F64_ARRAY, _I32_ARRAY = 1, 2, 4, 6, 5  # types of fields
NUMBERS = {  # of fields
    "mod_wsgi_version": 1, "python_version": 2, "apache_version": 3, "mpm_name": 4, "hostname": 5, "process_group": 6,
    "process_parent_pid": 7, "sample_period": 10, "telemetry_interval": 11, "slow_requests_threshold": 12,
    "switch_interval": 13, "request_count": 20, "request_throughput": 21, "capacity_utilization": 22,
    "cpu_user_utilization": 30, "cpu_system_utilization": 31, "cpu_utilization": 32, "cpu_user_time": 35,
    "cpu_system_time": 36, "cpu_time": 37, "memory_rss": 40, "memory_max_rss": 41, "request_threads_maximum": 50,
    "request_threads_active": 52, "queue_time": 61, "application_time": 63, "request_time": 64,
    "output_write_time": 67,
    "queue_time_buckets": 91, "application_time_buckets": 93, "request_time_buckets": 94,
    "output_write_time_buckets": 97,
    "input_bytes_total": 100, "output_bytes_total": 102, "request_threads_busy_time": 111,
    "request_threads_current_elapsed": 113, "status_1xx_total": 120, "status_2xx_total": 121, "status_3xx_total": 122,
    "status_4xx_total": 123, "status_5xx_total": 124, "shutdown_reason": 130, "process_uptime": 131,
    "lifetime_request_count": 132, "active_requests_at_decision": 133, "active_requests_at_exit": 134,
    "graceful_drain": 135, "slow_record_state": 200, "slow_start_stamp": 201, "slow_duration": 202,
    "slow_thread_id": 203, "slow_method": 210, "slow_path_info": 214, "slow_application_time": 223,
    "slow_active_at_start": 260,
}  # fmt: skip
_MOST, _MOST_I32 = 2**53 - 1, 2**31 - 1
_LONGEST_TEXT = 1024  # bytes
_RANGES = 65  # of a histogram there: 16 octaves of milliseconds in quarters, and what is longer
_STATUSES = ("status_1xx", "status_2xx", "status_3xx", "status_4xx", "status_5xx")

Value = int | float | str | list[float] | list[int]


@dataclass(frozen=True, slots=True)
class Whose:
    """A process, as it stays for its life. slow_s, switch_interval_s: of its options, 0 for none."""

    pid: int
    group: str
    hostname: str
    parent_pid: int
    version: str  # of wsgigroups
    python: str
    threads: int
    slow_s: float = 0.0
    switch_interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at it. words, busy: of its board (wire.board.Snapshot); asked: "GET /path" by thread, where known."""

    at_ns: int  # monotonic, as the busy words
    words: Mapping[str, int]
    busy: Mapping[int, int]
    cpu_user_s: float = 0.0
    cpu_system_s: float = 0.0
    rss_bytes: int = 0
    asked: Mapping[int, str] = field(default_factory=dict)


def datagram(kind: int, pid: int, number: int, stamp_s: float, fields: Mapping[str, Value]) -> bytes:
    """Return one datagram. number: of the process's samples, by which lost ones are seen; stamp_s: since the epoch."""
    found = [_HEADER.pack(b"WSGI", VERSION, kind, 0, pid, number & 0xFFFFFFFF, stamp_s)]
    found.extend(_packed(NUMBERS[name], value) for name, value in fields.items())
    return b"".join(found)


def _packed(number: int, value: Value) -> bytes:
    if isinstance(value, str):
        data = value.encode("utf-8", "backslashreplace")[:_LONGEST_TEXT]
        return _FIELD.pack(number, _BYTES) + struct.pack("<H", len(data)) + data
    if isinstance(value, list):
        kind, form = (_I32_ARRAY, "i") if value and isinstance(value[0], int) else (_F64_ARRAY, "d")
        return _FIELD.pack(number, kind) + struct.pack(f"<H{len(value)}{form}", len(value), *value)
    if isinstance(value, float):
        return _FIELD.pack(number, _F64) + struct.pack("<d", value)
    return _FIELD.pack(number, _U64) + struct.pack("<Q", max(0, min(value, _MOST)))


def identity(whose: Whose) -> dict[str, Value]:
    """Return the fields that say which process it is."""
    return {
        "mod_wsgi_version": f"wsgigroups {whose.version}",
        "python_version": whose.python,
        "apache_version": "",
        "mpm_name": "",
        "hostname": whose.hostname,
        "process_group": whose.group,
        "process_parent_pid": whose.parent_pid,
    }


def sample(
    whose: Whose, before: Observation, now: Observation, interval_s: float, most_rss_bytes: int
) -> dict[str, Value]:
    """Return the fields of what a process did between two looks. interval_s: at which it is looked at."""
    period_s = max(1e-3, (now.at_ns - before.at_ns) / 1e9)
    grown = _Growth(before.words, now.words)
    requests = grown("requests_total")
    busy_s = min(period_s * whose.threads, max(0.0, (_busy_ns(now) - _busy_ns(before)) / 1e9))
    user_s, system_s = now.cpu_user_s - before.cpu_user_s, now.cpu_system_s - before.cpu_system_s
    queue_s, application_s = _mean(grown("queue_time_ns"), requests), _mean(grown("application_time_ns"), requests)
    found: dict[str, Value] = {
        **identity(whose),
        "sample_period": period_s,
        "telemetry_interval": interval_s,
        "slow_requests_threshold": whose.slow_s,
        "request_count": requests,
        "request_throughput": requests / period_s,
        "capacity_utilization": busy_s / (period_s * whose.threads),
        "cpu_user_utilization": max(0.0, user_s) / period_s,
        "cpu_system_utilization": max(0.0, system_s) / period_s,
        "cpu_utilization": max(0.0, user_s + system_s) / period_s,
        "cpu_user_time": now.cpu_user_s,
        "cpu_system_time": now.cpu_system_s,
        "cpu_time": now.cpu_user_s + now.cpu_system_s,
        "memory_rss": now.rss_bytes,
        "memory_max_rss": max(most_rss_bytes, now.rss_bytes),
        "request_threads_maximum": whose.threads,
        "request_threads_active": min(len(now.busy), whose.threads),
        "queue_time": queue_s,
        "application_time": application_s,
        "request_time": queue_s + application_s,
        "output_write_time": _mean(grown("send_time_ns"), requests),
        "queue_time_buckets": _buckets(QUEUE, grown),
        "application_time_buckets": _buckets(APPLICATION, grown),
        # of the sum of both the board has no histogram; most requests wait for nothing
        "request_time_buckets": _buckets(APPLICATION, grown),
        "output_write_time_buckets": _buckets(SEND, grown),
        "input_bytes_total": grown("received_bytes"),
        "output_bytes_total": grown("sent_bytes"),
        "request_threads_busy_time": _busy_times(whose.threads, now, period_s, busy_s),
        "request_threads_current_elapsed": [_age_s(now, thread) for thread in range(whose.threads)],
        **{f"{name}_total": grown(name) for name in _STATUSES},
    }
    if whose.switch_interval_s:
        found["switch_interval"] = whose.switch_interval_s
    return found


def slow_requests(whose: Whose, look: Observation, boot_s: float) -> dict[tuple[int, int], dict[str, Value]]:
    """Return the fields of a record for each slow request under way, by thread and busy word.

    boot_s: what turns the monotonic clock into that of the wall; always the same for one process.
    """
    if not whose.slow_s:
        return {}
    found: dict[tuple[int, int], dict[str, Value]] = {}
    for thread, since_ns in look.busy.items():
        age_s = _age_s(look, thread)
        if age_s < whose.slow_s:
            continue
        method, _, path = look.asked.get(thread, "").partition(" ")
        found[thread, since_ns] = {
            "slow_record_state": 0,
            "slow_start_stamp": boot_s + since_ns / 1e9,
            "slow_duration": age_s,
            "slow_thread_id": thread,
            "slow_method": method,
            "slow_path_info": path,
            "slow_application_time": age_s,
            "slow_active_at_start": min(len(look.busy), whose.threads),
        }
    return found


def ended(record: Mapping[str, Value]) -> dict[str, Value]:
    """Return the record of a slow request that is over: its duration is that of the last look at it."""
    return {**record, "slow_record_state": 1}


class _Growth:
    """By how much a counter has grown; 0 for one that has not, or that somebody has set back."""

    def __init__(self, before: Mapping[str, int], now: Mapping[str, int]) -> None:
        self._before, self._now = before, now

    def __call__(self, name: str) -> int:
        return max(0, min(self._now.get(name, 0) - self._before.get(name, 0), _MOST))


def _mean(sum_ns: int, count: int) -> float:
    return sum_ns / 1e9 / count if count else 0.0


def _busy_ns(look: Observation) -> int:
    """For how long threads have been busy since the process began: what runs counts up to now."""
    return look.words.get("application_time_ns", 0) + sum(max(0, look.at_ns - since) for since in look.busy.values())


def _age_s(look: Observation, thread: int) -> float:
    since_ns = look.busy.get(thread, 0)
    return max(0.0, (look.at_ns - since_ns) / 1e9) if since_ns else 0.0


def _busy_times(threads: int, now: Observation, period_s: float, busy_s: float) -> list[float]:
    """For how long each thread was busy. Which one ran what has ended is not known: that fills them in their order."""
    found = [min(period_s, _age_s(now, thread)) for thread in range(threads)]
    left_s = busy_s - sum(found)
    for thread in range(threads):
        if left_s <= 0:
            break
        more_s = min(left_s, period_s - found[thread])
        found[thread] += more_s
        left_s -= more_s
    return found


def _buckets(histogram: Histogram, grown: _Growth) -> list[int]:
    """Return a histogram of the board as one of theirs, each range at its upper bound: percentiles are "at most"."""
    found = [0] * _RANGES
    for place, name in zip(_places(histogram.bounds_ns), histogram.word_names, strict=True):
        found[place] = min(_MOST_I32, found[place] + grown(name))
    return found


def _places(bounds_ns: Sequence[int]) -> Iterator[int]:
    for bound_ns in bounds_ns:
        yield place_of(bound_ns / 1e6 * 0.999)
    yield place_of(bounds_ns[-1] / 1e6 * 1.001)


def place_of(duration_ms: float) -> int:
    """Return which of their ranges a duration is in."""
    if duration_ms < 1:
        return 0
    octave = int(math.log2(duration_ms))
    return min(_RANGES - 1, octave * 4 + int((duration_ms / 2**octave - 1) * 4))
