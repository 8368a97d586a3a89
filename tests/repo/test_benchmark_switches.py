"""What switches the mechanisms of the request path off, and the pairs that tell what each is worth."""

from __future__ import annotations

import http.client
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import switches, switches_report
from benchmarks.cases import case_of
from benchmarks.inside import switches as inside
from benchmarks.inside.switches import RUNTIME, SWITCHES, Switch
from benchmarks.serving import Ground, free_port, start, stop, wait_until_answering
from tools import facts
from tools.facts import Account
from wsgigroups.runtime import accelerator


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.name)
def test_what_a_switch_changes_is_there_and_is_changed(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    if switch.name == "accelerator" and accelerator.IN_USE is None:
        pytest.skip("no accelerator is in use")
    before = {}
    for place, constant, _value in switch.constants:
        module = importlib.import_module(RUNTIME + place)
        before[place, constant] = getattr(module, constant)
        monkeypatch.setattr(module, constant, getattr(module, constant))  # put back afterwards
    inside.throw(switch)
    for place, constant, value in switch.constants:
        assert getattr(importlib.import_module(RUNTIME + place), constant) == value != before[place, constant]
    assert switch.constants or not switch.pulses
    assert switch.pulses or switch.processes > 1


def test_a_constant_that_has_gone_is_an_error() -> None:
    gone = Switch("gone", "nothing", 1, 15, ("varied",), (("calls.pace", "NO_SUCH_CONSTANT", 1),))
    with pytest.raises(AttributeError):
        inside.throw(gone)
    with pytest.raises(KeyError):
        inside.switch_of("gone")


def test_switches_are_measured_in_cases_that_there_are() -> None:
    assert [switch.name for switch in SWITCHES] == ["inline", "outbox", "lanes", "accelerator", "siblings"]
    for switch in SWITCHES:
        assert switch.cases[0] == "varied"
        assert {case_of(name).application for name in switch.cases} == {"plain"}


def sample(position: str, number: int, switch: str = "inline", **figures: Any) -> dict[str, Any]:
    """Return a sample as results.json has it."""
    return {"switch": switch, "layout": "1×15", "case": "varied", "peer": position, "round": number, "rate": 1000.0,
            "cpu_s_per_10k": 0.5, "p99_ms": 2.0, "failure": None, **figures}  # fmt: skip


def test_pairs_are_compared_round_by_round() -> None:
    samples = [
        sample("off", 1, rate=500.0, cpu_s_per_10k=1.0),
        sample("on", 1),
        sample("on", 2, rate=3000.0),
        sample("off", 2, p99_ms=4.0),
        sample("on", 3),
        sample("off", 3, failure="did not start", rate=None),
        sample("off", 4),
    ]
    text = "\n".join(switches_report.section(samples))
    line = next(line for line in text.splitlines() if "*inline*" in line)
    assert "| 1×15 varied | 2 | 2,000 | 750 | 2.50 (2.00–3.00) |" in line
    assert "| 50.00 | 75.00 | 0.75 (0.50–1.00) | 2.00 | 3.00 | 0.75 (0.50–1.00) |" in line
    assert "*lanes*" not in text


def test_a_switch_without_a_pair_says_why() -> None:
    samples = [sample("on", 1), sample("off", 1, failure="the server ended\nwith words")]
    assert "| failed: the server ended |" in "\n".join(switches_report.section(samples))


def test_all_pairs_are_measured_in_turning_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str, int]] = []

    def measure_position(switch: Switch, position: str, number: int, _seconds: float, _ground: Ground) -> list[Any]:
        asked.append((switch.name, position, number))
        return []

    monkeypatch.setattr(switches, "measure_position", measure_position)
    assert switches.measure(Ground(tmp_path, tmp_path, facts.daemon_account()), 2, None) == []
    assert asked[:2] == [("inline", "off", 1), ("inline", "on", 1)]
    assert asked[-2:] == [("siblings", "on", 2), ("siblings", "off", 2)]
    assert len(asked) == 2 * 2 * len(SWITCHES)
    assert switches.estimate_s(2, 1.0) == pytest.approx(2 * switches.estimate_s(1, 1.0))


@pytest.mark.parametrize("position", ["on", "off"])
@pytest.mark.parametrize("name", [switch.name for switch in SWITCHES])
def test_a_switched_server_serves_all_that_is_asked_of_it(name: str, position: str, tmp_path: Path) -> None:
    here = Path(switches.__file__).parent
    port, log = free_port(), tmp_path / "log"
    program = [sys.executable, str(here / "inside" / "switched_server.py"), str(here / "applications"), str(port)]
    with open(log, "wb") as output:
        process = start([*program, name, position], tmp_path, output.fileno(), Account("", os.geteuid(), os.getegid()))
    try:
        wait_until_answering(port, [process], log)
        switches.ask_first(port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for number in range(3):
            fields = {"Cookie": f"session={number}", "X-Request-Id": str(number)}
            connection.request("GET", f"/items/{number}?page=1", headers=fields)
            assert f'"item": "{number}", "query": "page=1"' in connection.getresponse().read().decode()
        connection.close()
    finally:
        stop(process)
    assert log.read_text() == ""
