"""How a measurement is put together: what parts replace and keep, how long it takes, how quiet it was, and profiles."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks import costs_report, load, peers, profiling, progress, quiet, store
from benchmarks.cases import CASES, LAYOUTS
from benchmarks.inside import board_cost
from benchmarks.load import LoadError
from benchmarks.measuring import Schedule


def results(*cells: str, kind: str = "loads", source: str = "a", rounds: int = 5, version: str = "2") -> dict[str, Any]:
    """Return results of one part; a cell is a case of the first layout."""
    return {
        "machine": {"cores": 2},
        "versions": {"granian": version},
        "titles": {"granian": "Granian"},
        "absent": {},
        "parts": [{"what": kind, "source": source, "cells": [["1×15", case] for case in cells], "rounds": rounds}],
        "samples": [{"layout": "1×15", "case": case, "round": rounds} for case in cells],
        "supervision": {"rounds": rounds} if kind == "supervision" else None,
        "costs": None,
    }


def test_a_part_takes_the_place_of_the_same_cases() -> None:
    both = store.merged(results("hello", "sleep"), results("hello", rounds=3))
    assert [(sample["case"], sample["round"]) for sample in both["samples"]] == [("sleep", 5), ("hello", 3)]
    assert [part["cells"] for part in both["parts"]] == [[["1×15", "sleep"]], [["1×15", "hello"]]]
    again = store.merged(both, results("sleep", rounds=1))
    assert [part["rounds"] for part in again["parts"]] == [3, 1]


def test_supervision_is_a_part_of_its_own() -> None:
    both = store.merged(results("hello"), results(kind="supervision", source="b"))
    assert (both["supervision"], len(both["samples"]), len(both["parts"])) == ({"rounds": 5}, 1, 2)
    newer = store.merged(both, results(kind="supervision", rounds=2))
    assert [part["rounds"] for part in newer["parts"]] == [5, 2]
    assert store.merged(newer, results("hello", source="b"))["supervision"] == {"rounds": 2}


@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        (results("sleep", source="b"), "request path"),
        (results("sleep", version="3"), "Granian was 2, and is 3"),
        ({**results("sleep"), "machine": {"cores": 4}}, "the machine had cores 2, and has 4"),
    ],
)
def test_what_cannot_be_compared_is_not_put_together(newer: dict[str, Any], reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        store.merged(results("hello"), newer)


def test_what_is_measured_anew_may_be_of_other_code() -> None:
    assert store.merged(results("hello"), results("hello", source="b"))["parts"][0]["source"] == "b"


def test_results_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert store.read(path) is None
    with pytest.raises(LoadError, match="there is no"):
        store.read_existing(path)
    store.save(path, results("hello"))
    assert store.read_existing(path) == results("hello")
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def schedule(*names: str, rounds: int = 2) -> Schedule:
    """Return a schedule of all cases and layouts for these servers."""
    return Schedule(LAYOUTS, CASES, [peers.load(name) for name in names], rounds, seconds=4.0)


def test_loads_are_counted_and_estimated() -> None:
    plain = len(CASES)
    assert progress.count(schedule("granian", rounds=1)) == 2 * plain
    assert progress.count(schedule("bjoern", rounds=1)) == plain  # one process alone
    one = progress.estimate_s(schedule("granian", rounds=1))
    assert progress.estimate_s(schedule("granian", rounds=5)) == pytest.approx(5 * one)
    assert one > 2 * plain * 5.0


def test_what_is_left_follows_from_what_was_done() -> None:
    times = iter([0.0, 100.0, 300.0])
    watched = progress.Progress(schedule("bjoern"), clock=lambda: next(times))
    half = watched.loads // 2
    assert watched.advance().startswith(f"1/{watched.loads}, about ")
    watched._done = half - 1
    assert watched.advance() == f"{half}/{watched.loads}, about 5 min left"
    assert [progress.words(seconds) for seconds in (12.0, 600.0, 7500.0)] == ["12 s", "10 min", "2 h 5 min"]


def test_what_others_use_is_what_is_left() -> None:
    busy_s, stolen_s, cores = quiet.parse("cpu  100 20 80 999 5 7 9 50 0 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n", 100)
    assert (busy_s, stolen_s, cores) == (2.0, 0.5, 2)
    before, after = quiet.Reading(0.0, 10.0, 0.0, 1.0, 2), quiet.Reading(4.0, 16.0, 0.4, 2.0, 2)
    assert quiet.others(before, after, server_s=4.0) == quiet.Others(12.5, 5.0)
    assert quiet.others(before, after, server_s=9.0).load_percent == 0.0
    figures = quiet.summarize([quiet.Others(1.0, 0.0), quiet.Others(2.0, 0.0), quiet.Others(12.5, 5.0)])
    assert (figures["median_percent"], figures["highest_percent"], figures["noisy"]) == (2.0, 17.5, 1)
    assert quiet.summarize([]) == {}
    assert quiet.read().cores >= 1


CALLS = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.030000          15      2000           sendto
 40.00    0.020000          10      2004         4 recvfrom
  0.00    0.000000           0         1           close
------ ----------- ----------- --------- --------- ----------------
100.00    0.050000          12      4005         4 total
"""


def test_the_table_of_strace_is_read() -> None:
    assert profiling.parse(CALLS) == [("recvfrom", 2004, 0.02), ("sendto", 2000, 0.03), ("close", 1, 0.0)]


def test_what_the_board_costs_is_measured() -> None:
    figures = board_cost.measure(loops=1000)
    assert sorted(figures) == ["publish_ns", "request_ns"]
    assert all(0 < nanoseconds < 100_000 for nanoseconds in figures.values())


def test_the_section_on_costs_compares_with_bjoern() -> None:
    costs = {
        "board": {"request_ns": 500.0, "publish_ns": 2000.0},
        "access_log": {"failure": "nothing was asked"},
        "profile": {
            "split": {
                "wsgigroups": {"user_us": 15.0, "system_us": 8.0},
                "bjoern": {"user_us": 3.0, "system_us": 7.0},
            },
            "calls": {
                "wsgigroups": {
                    "calls": [
                        ["sendto", 1.0, 4.0],
                        ["recvfrom", 1.0, 2.0],
                        ["futex", 9.0, 90.0],
                        ["getpid", 0.0001, 0.1],
                    ]
                },
                "bjoern": {"calls": [["write", 1.0, 4.0], ["epoll_ctl", 2.0, 2.0]]},
            },
            "functions": {
                "requests": 1000,
                "functions": [
                    ["'poll' of 'select.epoll'", 0.1, 50.0, 50.0],
                    ["serving/gateway.py answer", 1.0, 6.0, 20.0],
                    ["serving/crew.py _publish", 0.1, 2.0, 2.0],
                ],
            },
        },
    }
    text = "\n".join(costs_report.section(costs, {"bjoern": "bjoern"}))
    assert "costs wsgigroups +13.0 µs over bjoern: +12.0 µs in user mode" in text
    assert "+1.0 µs in the kernel (2.00 system calls per request but futex, bjoern 3.00)" in text
    assert "`serving/gateway.py answer` 75 %" in text
    assert "0.10 times per request under this load: 0.70 µs together" in text
    assert "| sendto | 1.000 | 4.00 | – | – |" in text
    assert "getpid" not in text
    assert "8.0 µs per request together" in text
    assert "| `serving/gateway.py answer` | 1.00 | 6.00 | 20.00 |" in text
    costs["profile"]["calls"]["bjoern"] = {"failure": "strace is not installed"}  # type: ignore[index]
    assert "were not counted: strace is not installed" in "\n".join(costs_report.section(costs, {}))


def test_an_answer_in_two_pieces_is_read_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n")
        reader = threading.Thread(target=load.read_answer, args=(ours,))
        reader.start()
        theirs.sendall(load.HELLO)
        reader.join(10)
        assert not reader.is_alive()
        assert load.still_open([ours]) == 1


def test_system_calls_that_are_as_frequent_stand_in_the_order_of_their_names() -> None:
    names = ["recvfrom", "close", "sendto", "accept4", "futex"]
    profile = {"bjoern": {"calls": [[name, 1.0, 1.0] for name in names]}}
    rows = [line for line in costs_report.calls(profile, {}) if "1.000" in line]
    assert [row.split(" ")[1] for row in rows] == sorted(names)
