"""The benchmark's pure parts: reading wrk's line, medians and ratios, tables; and that each peer says what it needs."""

from __future__ import annotations

import contextlib
import json
import operator
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import load, peers, report, summary
from benchmarks.cases import CASES, LAYOUTS
from benchmarks.plots import draw

LINE = (
    'Running 1s test\nRESULT {"duration_us": 2000000, "requests": 5000, "bytes": 1, "connect": 0, "read": 2, '
    '"write": 0, "status": 1, "timeout": 0, "p50_us": 250, "p99_us": 1500}\n'
)


def sample(peer: str, rate: float | None, number: int = 1, **extra: Any) -> dict[str, Any]:
    """Return a sample as results.json has it."""
    return {
        "layout": "1×15",
        "case": "hello",
        "peer": peer,
        "round": number,
        "rate": rate,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "newcomer_ms": 3.0,
        "cpu_s_per_10k": 0.5,
        "pss_mib": 20.0,
        "requests": round((rate or 0.0) * 2),
        "errors": 0,
        "other_load_percent": 1.0,
        "stolen_percent": 0.0,
        "failure": None if rate else "did not start",
        **extra,
    }


RESULTS: dict[str, Any] = {
    "machine": {"processor": "P", "cores": 2, "memory_gib": 4, "kernel": "6", "python": "3.11"},
    "versions": {"wsgigroups": "0.1.0", "granian": "2", "waitress": "3"},
    "titles": {"wsgigroups": "wsgigroups", "granian": "Granian", "waitress": "waitress"},
    "absent": {"bjoern": "not installed"},
    "parts": [
        {
            "what": "loads",
            "began": "2026-01-01 10:00 UTC",
            "ended": "2026-01-01 11:00 UTC",
            "source": "0123abcd",
            "cells": [["1×15", "hello"]],
            "peers": ["wsgigroups", "granian", "waitress"],
            "rounds": 3,
            "seconds": 1.0,
            "other_load": {
                "before_percent": 2.0,
                "before_stolen_percent": 1.0,
                "median_percent": 4.0,
                "highest_percent": 30.0,
                "noisy": 2,
                "loads": 9,
            },
        }
    ],
    "samples": [
        sample("wsgigroups", 3000.0),
        sample("wsgigroups", 4000.0, 2),
        sample("wsgigroups", 9000.0, 3),
        sample("granian", 2000.0, newcomer_ms=None),
        sample("waitress", None),
    ],
    "costs": None,
    "supervision": {
        "version": {"cpu_ms": 70.0, "elapsed_ms": 80.0},
        "status": {"cpu_ms": 200.0, "elapsed_ms": 210.0},
        "apply_again": {"cpu_ms": 300.0, "elapsed_ms": 310.0},
        "apply": {"groups": 100, "elapsed_s": 3.0, "cpu_s": 2.0},
        "memory": {
            "daemons": 100.0,
            "daemon_pss_mib": 2.0,
            "daemons_pss_mib": 200.0,
            "manager_and_spawners_pss_mib": 60.0,
        },
        "replacement": {
            "kills": 20,
            "clients": 16,
            "median_ms": 30.0,
            "maximum_ms": 90.0,
            "limit_ms": 1000.0,
            "answers": 10000,
            "failures": 12,
            "failures_elsewhere": 0,
        },
        "storm": {"groups": 10, "killed_groups": 5, "kills": 30, "percent_of_a_core": 1.5, "limit_percent": 5.0},
    },
}


def test_the_line_of_wrk_is_read() -> None:
    outcome = load.parse(LINE)
    assert (outcome.requests, outcome.errors, outcome.rate) == (5000, 3, 2500.0)
    assert (outcome.p50_ms, outcome.p99_ms) == (0.25, 1.5)
    with pytest.raises(load.LoadError, match="unable to connect"):
        load.parse("unable to connect")


def test_medians_ratios_and_order() -> None:
    found = summary.rows(RESULTS["samples"], "1×15", "hello")
    assert [row.peer for row in found] == ["wsgigroups", "granian", "waitress"]
    assert found[0].figures["rate"] == summary.Spread(4000.0, 3000.0, 9000.0)
    assert [row.ratio for row in found] == [1.0, 2.0, None]
    assert (found[0].newcomer_ms, found[1].newcomer_ms) == (3.0, None)
    assert found[2].failure == "did not start"
    assert summary.rows(RESULTS["samples"], "2×8", "hello") == []


def test_the_document_names_everything(tmp_path: Path) -> None:
    report.write(RESULTS, tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "| wsgigroups | 4,000 (3,000–9,000) | 50.0 | 1.00 |" in text
    assert "no two requests are the same" in text
    assert "| never |" in text
    assert "--cases hello --layouts 1x15 --peers wsgigroups,granian,waitress --rounds 3 --seconds 1" in text
    assert "| 1×15: hello | 3 | 1 | 3 % | 4 %, 30 % | 2 of 9 |" in text
    assert "failed: did not start" in text
    assert "not measured: not installed" in text
    assert "3.0 s" in text
    assert "| of these on connections to other processes | 0 |" in text
    assert "| 5 applications that cannot be imported and 5 killed" in text


def test_the_readme_is_filled_between_its_marks() -> None:
    readme = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    filled = report.fill_readme(readme, RESULTS)
    assert filled.startswith("before\n")
    assert filled.endswith("\nafter\n")
    assert "old" not in filled
    assert "| Granian 2 | 2,000 | 50.0 |" in filled  # a case that was not measured has no column
    assert report.fill_readme(filled, RESULTS) == filled


def test_nothing_measured_draws_nothing(tmp_path: Path) -> None:
    assert draw({**RESULTS, "samples": []}, tmp_path) == []


@pytest.mark.parametrize("name", peers.NAMES)
def test_peers_say_what_is_missing(name: str, tmp_path: Path) -> None:
    peer = peers.load(name)
    assert peer.name == name
    assert peer.missing(tmp_path)
    assert peer.fits(LAYOUTS[0])


def test_cases_have_their_scripts() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    for case in CASES:
        assert (load.SCRIPTS / case.script).is_file()


def test_slow_heads_come_byte_by_byte_and_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SLOW_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        with load.SlowHeads(server.getsockname()[1], 3):
            accepted = [stack.enter_context(server.accept()[0]) for _number in range(3)]
            for connection in accepted:
                received = b""
                while len(received) < len(load.SLOW_HEAD) + 10:
                    received += connection.recv(4096)
                assert received.startswith(load.SLOW_HEAD + b"xxxx")
                assert b"\n" not in received[len(load.SLOW_HEAD) :]
        for connection in accepted:
            while connection.recv(1 << 20):
                pass


def test_committed_results_and_their_document_agree() -> None:
    directory = Path(report.__file__).parent
    results = directory / "results.json"
    if not results.exists():  # not measured yet: nothing may claim to be
        assert not (directory / "RESULTS.md").exists()
        return
    data = json.loads(results.read_text())
    written = (directory / "RESULTS.md").read_text()
    assert "\n".join(report.document(data)) in written
    readme = (directory.parent / "README.md").read_text()
    assert report.fill_readme(readme, data) == readme


def broken_promises(results: dict[str, Any]) -> list[str]:
    """Return what a measurement says against the promises of the project; nothing that was not measured is judged."""
    ratios = {row.peer: row.ratio for row in summary.rows(results["samples"], "1×15", "hello")}
    limits = [
        (f"hello, times {peer}", ratios[peer] or 0.0, ">=", least)
        for peer, least in (("gunicorn", 5.0), ("waitress", 3.0))
        if peer in ratios
    ]
    figures = results["supervision"]
    if figures:
        limits += [
            ("CPU of --version, ms", figures["version"]["cpu_ms"], "<", 100.0),
            ("CPU of status, ms", figures["status"]["cpu_ms"], "<", 300.0),
            ("groups of that status", figures["apply"]["groups"], ">=", 100),
            ("kill to ready, ms", figures["replacement"]["maximum_ms"], "<=", 1000.0),
            ("requests lost elsewhere", figures["replacement"].get("failures_elsewhere", 0), "<=", 0),
            ("storm, % of a core", figures["storm"]["percent_of_a_core"], "<", 5.0),
        ]
    compare: dict[str, Callable[[Any, Any], bool]] = {">=": operator.ge, "<=": operator.le, "<": operator.lt}
    return [f"{what}: {value:g}, not {sign} {limit:g}" for what, value, sign, limit in limits
            if not compare[sign](value, limit)]  # fmt: skip


def test_the_committed_results_keep_the_promises() -> None:
    results = json.loads((Path(report.__file__).parent / "results.json").read_text())
    assert {"wsgigroups", "gunicorn", "waitress"} <= set(results["versions"])
    assert results["supervision"], "measure with supervision: the command line's cost is promised too"
    assert broken_promises(results) == []


def test_a_broken_promise_is_named() -> None:
    poor = json.loads(json.dumps(RESULTS))
    poor["samples"] = [sample("wsgigroups", 4999.0), sample("gunicorn", 1000.0), sample("waitress", 1667.0)]
    poor["supervision"]["version"]["cpu_ms"] = 100.0
    poor["supervision"]["status"]["cpu_ms"] = 300.0
    poor["supervision"]["apply"]["groups"] = 99
    poor["supervision"]["replacement"] |= {"maximum_ms": 1000.1, "failures_elsewhere": 1}
    poor["supervision"]["storm"]["percent_of_a_core"] = 5.0
    assert len(broken_promises(poor)) == 8
    assert broken_promises({**poor, "samples": [], "supervision": None}) == []
    assert broken_promises({**RESULTS, "samples": []}) == []
