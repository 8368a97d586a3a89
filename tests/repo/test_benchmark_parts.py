"""How a measurement is put together: what parts replace and keep, how long it takes, how quiet it was, and profiles."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import wsgigroups
from benchmarks import costs_report, load, peers, profiling, progress, quiet, session, store
from benchmarks.cases import ALONE, CASES, HELLO, LAYOUTS, SIBLINGS, VARIED, case_of
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


def schedule(*names: str, rounds: int | None = 2, seconds: float | None = 4.0) -> Schedule:
    """Return a schedule of all cases and layouts for these servers."""
    return Schedule(LAYOUTS, CASES, [peers.load(name) for name in names], rounds, seconds)


def cells_of(peer: str) -> int:
    """Return in how many cases and layouts a server is measured that has both layouts."""
    return sum(len(case.layouts) for case in CASES if peer in (case.peers or (peer,)))


def test_loads_are_counted_and_estimated() -> None:
    assert progress.count(schedule("granian", rounds=1)) == cells_of("granian") < cells_of("wsgigroups")
    assert progress.count(schedule("bjoern", rounds=1)) == sum(not case.peers for case in CASES)  # one process alone
    one = progress.estimate_s(schedule("granian", rounds=1))
    assert progress.estimate_s(schedule("granian", rounds=5)) == pytest.approx(5 * one)
    assert one > cells_of("granian") * 4.0


def test_what_targets_are_about_is_measured_most_often() -> None:
    plan = schedule("granian", "gunicorn", rounds=None, seconds=None)
    rival, other = plan.peers
    assert (plan.rounds_of(VARIED, rival, SIBLINGS), plan.rounds_of(VARIED, other, SIBLINGS)) == (5, 3)
    assert (plan.rounds_of(case_of("large"), rival, SIBLINGS), plan.rounds_of(case_of("json"), rival, ALONE)) == (0, 0)
    assert (plan.longest, plan.seconds_of(VARIED), plan.seconds_of(HELLO)) == (5, 2.0, 1.0)
    names = [[case.name for case in cases] for cases in plan.starts(5, rival, ALONE)]
    assert sorted(names) == [["django"], ["flask"], ["varied"]]
    first = [[case.name for case in cases] for cases in plan.starts(1, rival, ALONE)]
    assert ["combined"] in first  # a log is another start of the server
    assert all(cases[0] != "combined" or cases == ["combined"] for cases in first)


def test_the_whole_measurement_takes_no_longer_than_people_wait() -> None:
    whole = session.estimates(schedule(*peers.NAMES, rounds=None, seconds=None))
    assert set(whole) == set(store.KINDS)
    assert sum(whole.values()) <= 32 * 60


def test_what_is_left_follows_from_what_was_done() -> None:
    now_s = 0.0
    watched = progress.Progress(schedule("bjoern"), clock=lambda: now_s)
    half = watched.loads // 2
    assert watched.advance().startswith(f"1/{watched.loads}, about ")
    for _load in range(half - 2):
        watched.advance()
    now_s = 300.0
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


def test_the_board_is_measured_by_what_the_runtime_offers() -> None:
    figures = board_cost.measure(loops=1000)
    assert 0 < figures["request_ns"] < 1e6
    assert 0 < figures["publish_ns"] < 1e6


def test_the_digest_of_the_request_path_has_all_of_it_and_nothing_else(tmp_path: Path) -> None:
    runtime = tmp_path / "lib" / "python3.11" / "site-packages" / "wsgigroups" / "runtime"
    for room in (*store.REQUEST_PATH, "daemon"):
        path = runtime / (room if room.endswith(".py") else f"{room}/part.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("before")
    before = store.source(tmp_path)
    (runtime / "daemon" / "part.py").write_text("after")
    assert store.source(tmp_path) == before
    for room in store.REQUEST_PATH:
        path = runtime / (room if room.endswith(".py") else f"{room}/part.py")
        path.write_text("after")
        assert store.source(tmp_path) != before
        path.write_text("before")
    assert store.source(tmp_path) == before


def test_the_request_path_is_where_the_digest_looks_for_it() -> None:
    runtime = Path(wsgigroups.__file__).parent / "runtime"
    assert all((runtime / room).exists() for room in store.REQUEST_PATH)


def test_the_section_on_costs_compares_with_bjoern() -> None:
    costs = {
        "case": "varied",
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
                    ["wsgi/caller.py answer", 1.0, 6.0, 20.0],
                    ["records/tally.py publish", 0.1, 2.0, 2.0],
                ],
            },
        },
    }
    text = "\n".join(costs_report.section(costs, {"bjoern": "bjoern"}))
    assert "The case varied, " in text
    assert "costs wsgigroups +13.0 µs over bjoern: +12.0 µs in user mode" in text
    assert "+1.0 µs in the kernel (2.00 system calls per request but futex, bjoern 3.00)" in text
    assert "`wsgi/caller.py answer` 75 %" in text
    assert "0.10 times per request under this load: 0.70 µs together" in text
    assert "| sendto | 1.000 | 4.00 | – | – |" in text
    assert "getpid" not in text
    assert "8.0 µs per request together" in text
    assert "| `wsgi/caller.py answer` | 1.00 | 6.00 | 20.00 |" in text
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
