"""How a plan reads: signs, values with their units, what it costs, and a summary in plain English."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.targets import small_target

from wsgigroups.cli.main import Globals
from wsgigroups.cli.next_command import next_command
from wsgigroups.cli.planning import show_plan, source_of, summary, unseen_code
from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import plan, with_memory

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


def columns(line: str) -> list[str]:
    return [part for part in line.strip().split("   ") if part.strip()]


def test_a_replacement_says_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    first, *reasons, empty, last = shown(planned(processes=3, fingerprint="g", threads="9"), capsys)
    assert first == "± djsite   rolling replacement, no downtime"
    assert [[part.strip() for part in columns(line)] for line in reasons] == [
        ["threads", "15 → 9", "new processes needed: read when a process starts"],
        ["processes", "2 → 3"],
    ]
    assert empty == ""
    assert last == "1 group to replace: 2 processes replaced, 1 started. About 7 s, +40 MiB meanwhile."


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(8_660_000, "+8 MiB"), (1000, "+1 MiB"), (22.2 * MIB, "+22 MiB"), (20 * 1024 * MIB, "+20 GiB")],
)
def test_memory_is_an_estimate_and_reads_like_one(size_bytes: float, said: str) -> None:
    made = planned(processes=3, fingerprint="g")
    made["steps"][0]["cost"]["surge_bytes"] = int(size_bytes)
    assert summary(made).endswith(f", {said} meanwhile.")


def test_values_have_their_units_and_0_is_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    made = planned(request_timeout="0", memory_max=str(1024 * MIB))
    first, *reasons, _empty, last = shown(made, capsys)
    assert first == "~ djsite   changed while it runs, no process is replaced"
    assert [columns(line)[1].strip() for line in reasons] == ["512M → 1G", "1m → off"]
    assert last == "1 group to change in place: no process is replaced."
    assert [reason["unit"] for reason in made["steps"][0]["reasons"]] == ["bytes", "s"]


def test_a_listener_that_is_set_anew_replaces_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    made = planned(listen_backlog="200")
    first, *_reasons, last = shown(made, capsys)
    assert first == "~ djsite   its listeners are set anew, no process is replaced"
    assert made["steps"][0]["kind"] == "rebind"
    assert last == "1 group to change in place: no process is replaced."


def test_an_address_that_changes_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    first, *_reasons, last = shown(planned(fingerprint="g", listen="127.0.0.1:2"), capsys)
    assert first == "± djsite   listens elsewhere; rolling replacement"
    assert last.startswith("1 group to replace: 2 processes replaced. About ")


def test_what_a_new_version_brings_along_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    added = {"confinement": "best-effort", "limit_core": "0", "limit_nofile": "0", "rollout.canary": "1"}
    made = planned(cpu_weight="7", tasks_max="0", request_timeout="5", **added)
    _first, *reasons, _empty, _last = shown(made, capsys)
    with_defaults = "new in this version, with their defaults (-o json has them all)"
    assert [[part.strip() for part in columns(line)] for line in reasons] == [
        ["cpu-weight", "7", "no new process: written to the group's cgroup while it runs"],  # somebody asked for it
        ["request-timeout", "1m → 5s", "no new process: the manager keeps this time"],
        ["confinement", "new in this version, with its default", "new processes needed"],
        ["limit-core and 3 more options", with_defaults, "no new process"],
    ]


def test_new_code_names_files(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(planned(code="2"), capsys)
    assert lines[1] == (
        "    code   0.py, 1.py, 2.py, 3.py, 4.py and 2 more files   "
        "new processes needed: changed since the processes started"
    )


def test_one_is_one_and_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    new = plan({"a": small_target("a")}, {}).to_json()
    assert summary(new) == "1 group to add: 1 process started."
    gone = plan({}, {"djsite": RUNNING}).to_json()
    assert summary(gone) == "1 group to remove: 2 processes stopped."
    assert shown(gone, capsys)[0] == "- djsite   no longer in the configuration; its 2 processes are drained"
    same = plan({"a": small_target("a")}, {"a": replace(RUNNING, options={}, processes=1)})
    assert shown(same.to_json(), capsys) == ["No changes."]


def test_several_groups_are_told_apart_and_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    made = plan({"a": small_target("a", processes=2), "b": small_target("b")}, {"djsite": RUNNING}).to_json()
    lines = shown(made, capsys)
    assert [line for line in lines if line[:1] in "+-±~" and line] == [
        "- djsite   no longer in the configuration; its 2 processes are drained",
        "+ a   new: 2 processes started",
        "+ b   new: 1 process started",
    ]
    assert lines[-1] == "2 groups to add, 1 to remove: 3 processes started, 2 stopped."


def test_without_a_process_more_fewer_serve_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    made = planned(fingerprint="g", threads="9")
    made["steps"][0]["cost"]["surge_processes"] = 0
    assert shown(made, capsys)[0] == "± djsite   replaced in place, fewer processes serve meanwhile"
    made["steps"][0]["cost"]["processes_replaced"] = 0
    assert shown(made, capsys)[0] == "± djsite   stopped: it holds from its next start on"


def test_memory_is_that_of_one_process_for_each_that_is_more() -> None:
    target = small_target("djsite", processes=2, fingerprint="g", options={**OPTIONS, "threads": "9"}, code={"a": "1"})
    unweighed = replace(RUNNING, members=tuple(replace(member, rss_bytes=None) for member in MEMBERS))
    made = plan({"djsite": target}, {"djsite": unweighed})
    for sizes, found in (({"djsite": 7 * MIB, "gone": 1}, 7 * MIB), ({"djsite": 0}, None)):
        (step,) = with_memory(made, sizes).steps
        assert step.cost.surge_bytes == found


def test_what_is_compared_and_what_to_type_next(capsys: pytest.CaptureFixture[str]) -> None:
    made = planned(request_timeout="0")
    made["precondition"] = {"revision": 12, "observed": {"djsite": "x"}, "desired": {"djsite": "y"}, "keyed": True}
    heading = source_of(made, [Path("groups.toml")])
    assert heading == "revision 12 → groups.toml"
    show_plan(made, "never", heading=heading, next_command="wsgigroups apply groups.toml")
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == heading
    assert told.err == "Run `wsgigroups apply groups.toml` to do this.\n"
    made["precondition"]["observed"] = {}
    assert source_of(made, [Path("a.toml"), Path("b.toml")]) == "nothing runs → a.toml, b.toml"
    made["precondition"]["revision"] = 5  # that other files' groups have
    assert source_of(made, [Path("b.toml")], only=True) == "revision 5 → b.toml"


@pytest.mark.parametrize(
    ("desired", "hint"),
    [
        ({"a": "x", "@gateway": "y"}, "(New code that is not seen here? wsgigroups deploy a)"),
        ({"a": "x", "b": "y"}, "(New code that is not seen here? wsgigroups deploy GROUP)"),
        ({}, ""),
    ],
)
def test_where_nothing_changes_there_may_be_new_code(desired: dict[str, str], hint: str) -> None:
    made: Any = {"precondition": {"desired": desired}}
    assert unseen_code(made) == hint


def test_the_next_command_has_the_directories_that_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSGIGROUPS_STATE_DIR", raising=False)
    monkeypatch.setenv("WSGIGROUPS_RUN_DIR", "/run/mine")
    options = Globals(Path("/run/mine"), Path("/srv/my state"), None, "auto", 0)
    files = [Path("groups.toml")]
    assert next_command(options, "apply", files, ["blue"]) == (
        "wsgigroups --state-dir '/srv/my state' apply --profile blue groups.toml"
    )
    monkeypatch.setenv("WSGIGROUPS_RUN_DIR", "/run/other")
    assert next_command(options, "apply", files).startswith("wsgigroups --run-dir /run/mine --state-dir ")
    assert next_command(options, "apply", [Path("-")]) == ""
