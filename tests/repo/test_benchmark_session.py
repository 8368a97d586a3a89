"""A run of the benchmark without servers: results.json is up to date after each round, and --merge keeps the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import run, session, store
from benchmarks.load import LoadError
from benchmarks.measuring import Sample, Schedule
from benchmarks.quiet import Others
from benchmarks.serving import Ground
from tools import facts


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Sample | BaseException]:
    """Return the list of samples that the session will get; an exception ends it."""
    samples: list[Sample | BaseException] = []

    def measure(_schedule: Schedule, _ground: Ground) -> Iterator[Sample]:
        for sample in samples:
            if isinstance(sample, BaseException):
                raise sample
            yield sample

    monkeypatch.setattr(session, "measure", measure)
    monkeypatch.setattr(session.machine, "facts", lambda _environment: {"cores": 2})
    monkeypatch.setattr(session.quiet, "look", lambda: Others(40.0, 1.0))
    monkeypatch.setattr(session.store, "source", lambda _environment: "0123abcd")
    return samples


def sample(case: str, number: int, other: float = 1.0) -> Sample:
    """Return a sample of our server."""
    return Sample("1×15", case, "wsgigroups", number, rate=10.0, p99_ms=1.0, requests=10, other_load_percent=other,
                  stolen_percent=0.0)  # fmt: skip


def new_session(tmp_path: Path, *arguments: str) -> session.Session:
    """Return a session in which no server is installed."""
    ground = Ground(tmp_path, tmp_path, facts.daemon_account())
    return session.Session(run.read_arguments([*arguments, "--output", str(tmp_path)]), ground)


def test_a_run_that_is_cut_off_leaves_its_finished_rounds(
    tmp_path: Path, measured: list[Sample | BaseException]
) -> None:
    measured += [sample("hello", 1), sample("hello", 2, other=9.0), sample("hello", 3), KeyboardInterrupt()]
    path = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        new_session(tmp_path, "--parts", "loads").measure(path)
    results: dict[str, Any] = store.read_existing(path)
    assert [found["round"] for found in results["samples"]] == [1, 2]
    (part,) = results["parts"]
    assert (part["rounds"], part["cells"], part["source"]) == (2, [["1×15", "hello"]], "0123abcd")
    assert (part["other_load"]["before_percent"], part["other_load"]["highest_percent"]) == (40.0, 9.0)
    assert (part["other_load"]["noisy"], part["other_load"]["loads"]) == (1, 2)


def test_a_second_part_is_added(tmp_path: Path, measured: list[Sample | BaseException]) -> None:
    path = tmp_path / "results.json"
    measured += [sample("hello", 1)]
    new_session(tmp_path, "--parts", "loads", "--cases", "hello").measure(path)
    measured[:] = [sample("sleep", 1)]
    new_session(tmp_path, "--parts", "loads", "--cases", "sleep", "--merge").measure(path)
    assert {found["case"] for found in store.read_existing(path)["samples"]} == {"hello", "sleep"}
    new_session(tmp_path, "--parts", "loads", "--cases", "sleep").measure(path)
    assert {found["case"] for found in store.read_existing(path)["samples"]} == {"sleep"}


def test_what_cannot_be_added_is_refused_before_anything_is_measured(
    tmp_path: Path, measured: list[Sample | BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    measured += [sample("hello", 1)]
    new_session(tmp_path, "--parts", "loads", "--cases", "hello").measure(path)
    monkeypatch.setattr(session.store, "source", lambda _environment: "another")
    measured[:] = [AssertionError("measured")]
    with pytest.raises(LoadError, match="request path"):
        new_session(tmp_path, "--parts", "loads", "--cases", "sleep", "--merge").measure(path)
    measured[:] = [sample("hello", 1)]
    new_session(tmp_path, "--parts", "loads", "--cases", "hello", "--layouts", "1x15", "--merge").measure(path)


def test_the_command_line_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.read_arguments(["--supervision"]).parts == ["supervision"]
    assert run.read_arguments(["--no-supervision"]).parts == [
        "loads",
        "switches",
        "costs",
        "scale",
        "starts",
        "sites",
        "observing",
    ]
    for arguments in (["--parts", "nothing"], ["--cases", "hallo"], ["--rounds", "0"], ["--seconds", "0"]):
        with pytest.raises(SystemExit):
            run.read_arguments(arguments)
    assert "cannot measure hallo" in capsys.readouterr().err
