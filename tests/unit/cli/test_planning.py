"""How a plan reads: signs, values with their units, what it costs, and a summary in plain English."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.cli.planning import show_plan, summary
from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import plan

MIB = 2**20
OPTIONS = {"threads": "15", "request-timeout": "60", "memory-max": str(512 * MIB), "listen-backlog": "100"}
MEMBERS = tuple(ObservedProcess(n, n, "f", True, 1.0, 40 * MIB) for n in (1, 2))
RUNNING = ObservedGroup(OPTIONS, "f", 2, False, False, MEMBERS, code={"a": "1"})


def planned(processes: int = 2, fingerprint: str = "f", code: str = "1", **options: str) -> dict[str, Any]:
    changed = {name.replace("_", "-"): value for name, value in options.items()}
    target = small_target(
        "djsite", processes=processes, fingerprint=fingerprint, options={**OPTIONS, **changed}, code={"a": code}
    )
    files = {"1": {f"{n}.py": "a" for n in range(7)}, "2": {f"{n}.py": "b" for n in range(7)}}
    return plan({"djsite": target}, {"djsite": RUNNING}, files.get).to_json()


def shown(made: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
    show_plan(made, "never")
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_replacement_says_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    first, *reasons, empty, last = shown(planned(processes=3, fingerprint="g", threads="9"), capsys)
    assert first.startswith("± djsite will be replaced, successor first: 2 processes to replace, 1 to start, about ")
    assert any("threads:" in line and "15 → 9   (replace: read when a process starts)" in line for line in reasons)
    assert any("processes:" in line and "2 → 3   (scale)" in line for line in reasons)
    assert empty == ""
    assert last.startswith("Plan: 1 to replace; 2 processes to replace, 1 to start, about ")
    assert last.endswith(" s of starting, up to 40 MiB more memory meanwhile.")


def test_values_have_their_units_and_0_is_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    made = planned(request_timeout="0", memory_max=str(1024 * MIB))
    first, *reasons, _empty, last = shown(made, capsys)
    assert first == "~ djsite will be changed while it runs, no process is touched"
    assert [line.split("   (")[0].split(": ")[1].strip() for line in reasons] == ["512M → 1G", "1m → off"]
    assert last == "Plan: 1 to change in place."
    assert [reason["unit"] for reason in made["steps"][0]["reasons"]] == ["bytes", "s"]


def test_a_listener_that_is_set_anew_replaces_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    made = planned(listen_backlog="200")
    first, *_reasons, last = shown(made, capsys)
    assert first == "~ djsite will have its listeners changed while it runs, no process is touched"
    assert made["steps"][0]["kind"] == "rebind"
    assert last == "Plan: 1 to change in place."


def test_an_address_that_changes_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    first, *_reasons, last = shown(planned(fingerprint="g", listen="127.0.0.1:2"), capsys)
    assert first.startswith("± djsite will listen elsewhere; its processes are replaced, successor first: 2 processes")
    assert last.startswith("Plan: 1 to replace; 2 processes to replace")


def test_new_code_names_files(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(planned(code="2"), capsys)
    assert lines[1] == (
        "    code: 0.py, 1.py, 2.py, 3.py, 4.py and 2 more files   (replace: changed since the processes started)"
    )


def test_one_is_one_and_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    new = plan({"a": small_target("a")}, {}).to_json()
    assert summary(new) == "Plan: 1 to add; 1 process to start."
    gone = plan({}, {"djsite": RUNNING}).to_json()
    assert summary(gone) == "Plan: 1 to remove; 2 processes to stop."
    same = plan({"a": small_target("a")}, {"a": replace(RUNNING, options={}, processes=1)})
    assert shown(same.to_json(), capsys) == ["No changes."]
