"""What the benchmark calls reached, on made-up figures: ratios, ideals, access logs, the board, p99 beside the best."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import costs_report, latencies, log_costs, targets, targets_report

TITLES = {"wsgigroups": "wsgigroups", "granian": "Granian", "bjoern": "bjoern", "uwsgi": "uWSGI"}


def sample(peer: str, case: str = "hello", layout: str = "1×15", number: int = 1, **figures: Any) -> dict[str, Any]:
    """Return a sample as results.json has it."""
    return {
        "layout": layout,
        "case": case,
        "peer": peer,
        "round": number,
        "rate": 1000.0,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "newcomer_ms": 3.0,
        "cpu_s_per_10k": 0.5,
        "pss_mib": 20.0,
        "requests": 4000,
        "errors": 0,
        "failure": None,
        **figures,
    }


def costs(request_ns: float, publish_ns: float, publishes: float | None) -> dict[str, Any]:
    """Return costs with the board's figures."""
    functions: dict[str, Any] = {"failure": "no"}
    if publishes is not None:
        functions = {"functions": [["records/tally.py publish", publishes, 1.0, 1.0]]}
    return {"board": {"request_ns": request_ns, "publish_ns": publish_ns}, "profile": {"functions": functions}}


def found(samples: list[dict[str, Any]], measured: dict[str, Any] | None = None) -> dict[str, targets.Target]:
    """Return the targets by what they are about."""
    results = {"samples": samples, "titles": TITLES, "costs": measured}
    return {target.what: target for target in targets.targets(results)}


def test_what_was_not_measured_is_not_judged() -> None:
    lines = found([])
    assert len(lines) == 12 + 2 + 2 + 2 + 3 + 1
    assert {line.reached for line in lines.values()} == {None}
    assert targets.verdict(line.reached for line in lines.values()) == "0 of 22 reached, 22 not measured"


@pytest.mark.parametrize(
    ("case", "layout", "peer", "ours", "reached"),
    [
        ("varied", "1×15", "granian", 100.0, True),
        ("varied", "1×15", "granian", 99.9, False),
        ("varied", "1×15", "uwsgi_keepalive", 200.0, True),
        ("varied", "1×15", "uwsgi_keepalive", 199.9, False),
        ("varied", "2×8", "granian", 110.0, True),
        ("varied", "2×8", "granian", 109.9, False),
        ("flask", "1×15", "granian", 100.0, True),
        ("flask", "1×15", "granian", 99.9, False),
        ("hello", "1×15", "granian", 100.0, True),
        ("hello", "1×15", "granian", 99.9, False),
        ("hello", "1×15", "uwsgi", 249.9, False),
    ],
)
def test_a_rate_is_to_be_so_many_times_as_high(case: str, layout: str, peer: str, ours: float, reached: bool) -> None:
    samples = [sample("wsgigroups", case, layout, rate=ours), sample(peer, case, layout, rate=100.0)]
    line = found(samples)[f"{case}, {layout}: requests/s of wsgigroups ÷ {TITLES.get(peer, 'uWSGI http11-socket')}"]
    assert (line.goal[0], line.reached) == ("≥", reached)


@pytest.mark.parametrize(
    ("case", "ours", "reached"),
    [("varied", 0.8, True), ("varied", 0.81, False), ("flask", 0.9, True), ("flask", 0.91, False)],
)
def test_a_request_is_to_cost_less_than_elsewhere(case: str, ours: float, reached: bool) -> None:
    lines = found([sample("wsgigroups", case, cpu_s_per_10k=ours), sample("granian", case, cpu_s_per_10k=1.0)])
    line = lines[f"{case}, 1×15: CPU a request of wsgigroups ÷ Granian"]
    assert (line.goal[0], line.measured, line.reached) == ("≤", f"{ours:.2f}", reached)


def test_the_ideal_of_a_waiting_handler_is_all_threads_of_all_processes() -> None:
    lines = found(
        [
            sample("wsgigroups", "sleep", rate=1425.0),
            sample("wsgigroups", "sleep", "2×8", rate=1519.0),
        ]
    )
    assert [line.reached for what, line in lines.items() if "waits" in what] == [True, False]


def test_the_mix_is_compared_with_granian() -> None:
    lines = found([sample("wsgigroups", "mix", p99_ms=12.0), sample("granian", "mix", p99_ms=10.0)])
    assert lines["mix, 1×15: p99 of the fast requests ÷ Granian's"].reached is True
    assert lines["mix, 2×8: p99 of the fast requests ÷ Granian's"].reached is None


@pytest.mark.parametrize(("slow_ms", "reached"), [(1.0, True), (1.01, False)])
def test_others_hardly_notice_slow_heads(slow_ms: float, reached: bool) -> None:
    lines = found(
        [sample("wsgigroups", "slow", p99_ms=slow_ms), sample("wsgigroups", "paced", p99_ms=0.5),
         sample("wsgigroups", "slow", "2×8"), sample("granian", "paced", "2×8")]
    )  # fmt: skip
    assert lines["200 requests/s, 1×15: p99 beside 1,000 slow heads ÷ p99 without"].reached is reached
    assert lines["200 requests/s, 2×8: p99 beside 1,000 slow heads ÷ p99 without"].reached is None


def test_what_an_access_log_costs_is_told_from_the_stretches_beside() -> None:
    slower = (1, 1, 2, 2, 4, 4, 8)  # the machine meanwhile
    stretches: list[tuple[str, int, int, int]] = []
    for number, factor in enumerate(slower):
        form = ("off", "json", "off", "common")[number % 4]
        cpu_ns, requests = (1040, 940) if form == "json" else (1000, 1000)
        stretches.append((form, requests, cpu_ns * requests * factor, 10**6 * factor))
    figures = log_costs.compare([*stretches, ("json", 1, 1, 1), ("off", 0, 0, 1)])  # nobody asked any more
    assert figures["json"]["pairs"] == 2
    assert figures["json"]["cpu_percent"] == pytest.approx((1040 / 1500 + 4160 / 6000) / 2 * 100 - 100)
    assert log_costs.compare([*stretches[:2], ("off", 1000, 10**6, 10**6)])["json"] == {
        "pairs": 1, "cpu_percent": pytest.approx(4.0), "cpu_low": pytest.approx(4.0), "cpu_high": pytest.approx(4.0),
        "rate_percent": pytest.approx(6.0), "rate_low": pytest.approx(6.0), "rate_high": pytest.approx(6.0),
    }  # fmt: skip
    costs = {"access_log": log_costs.compare([*stretches[:2], ("off", 1000, 10**6, 10**6)])}
    line = targets.access_target("json", costs)
    assert (line.measured, line.reached) == ("+4.0 % CPU, -6.0 % requests/s", False)
    assert targets.access_target("common", costs).reached is None
    assert "| json | 1 | +4.0 % (+4.0 to +4.0) | -6.0 % (-6.0 to -6.0) |" in list(
        costs_report.access_logs(costs["access_log"])
    )
    assert targets.access_target("json", {"access_log": {"failure": "no"}}).reached is None


@pytest.mark.parametrize(
    ("measured", "cost_ns"),
    [(costs(600.0, 2000.0, 0.1), 800.0), (costs(600.0, 2000.0, None), 2600.0), (costs(600.0, 2000.0, 3.0), 2600.0)],
)
def test_the_board_pays_for_adding_up_as_often_as_it_does(measured: dict[str, Any], cost_ns: float) -> None:
    assert targets.board_ns(measured) == pytest.approx(cost_ns)
    assert targets.board_target(measured).reached is (cost_ns < 1000)


def test_a_p99_that_says_nothing_is_not_the_best() -> None:
    samples = [
        sample("wsgigroups", p99_ms=2.5),
        sample("granian", p99_ms=2.0),
        sample("bjoern", p99_ms=1.0),
        sample("uwsgi", p99_ms=0.1, errors=5),
        sample("uwsgi_keepalive", p99_ms=0.1, newcomer_ms=None),
        sample("gunicorn", p99_ms=0.1, newcomer_ms=1001.0),
        sample("waitress", rate=None, failure="did not start"),
    ]
    (line,) = latencies.latencies({"samples": samples})
    assert line.best is not None
    assert line.best_with_reference is not None
    assert (line.best.peer, line.best.ratio, line.best.reached) == ("granian", 1.25, False)
    assert (line.best_with_reference.peer, line.best_with_reference.ratio) == ("bjoern", 2.5)
    assert line.left_out == {
        "uwsgi": "5 errors",
        "uwsgi_keepalive": "a newcomer got no answer",
        "gunicorn": "a newcomer waited 1,001 ms",
    }
    assert latencies.says_nothing(latencies.summary.rows(samples, "1×15", "hello")[0]) is None


@pytest.mark.parametrize(
    ("newcomer_ms", "p99_ms", "fit"),
    [(100.0, 1.0, True), (101.0, 1.0, False), (500.0, 50.0, True), (501.0, 50.0, False), (1000.0, 500.0, True)],
)
def test_who_answers_some_and_lets_others_wait_is_no_measure(newcomer_ms: float, p99_ms: float, fit: bool) -> None:
    (row,) = latencies.summary.rows([sample("granian", newcomer_ms=newcomer_ms, p99_ms=p99_ms)], "1×15", "hello")
    assert (latencies.says_nothing(row) is None) is fit


def test_with_errors_of_ours_no_p99_is_reached() -> None:
    samples = [sample("wsgigroups", p99_ms=0.1, errors=5), sample("granian")]
    (line,) = latencies.latencies({"samples": samples})
    assert line.unfit == "5 errors"
    assert targets_report.reached(line, line.best) is False


def test_what_was_not_reached_is_named() -> None:
    samples = [sample("wsgigroups", rate=90.0), sample("granian", rate=100.0)]
    text = "\n".join(targets_report.section({"samples": samples, "titles": TITLES, "costs": None}))
    assert "Not reached: hello, 1×15: requests/s of wsgigroups ÷ Granian (0.90, ≥ 1)." in text
    assert "| ≥ 1 | 0.90 | **not reached** |" in text
    assert "| 1×15 hello | 2.00 | Granian, 2.00 ms | 1.00 | reached |" in text
