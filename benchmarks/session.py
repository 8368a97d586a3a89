"""One run of the benchmark: what it is to measure, and the parts of results.json that it makes.

Runs in the benchmark's process.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import (
    costs,
    faults,
    machine,
    observing,
    peers,
    quiet,
    scale,
    sites,
    starts,
    store,
    supervision,
    switches,
)
from benchmarks.cases import CASES, LAYOUTS
from benchmarks.measuring import Sample, Schedule, measure
from benchmarks.progress import Progress, estimate_s, words
from benchmarks.quiet import Others
from benchmarks.serving import Ground
from tools.environment import say

SUPERVISION_S = 70.0  # about
SCALE_S = 150.0
STARTS_S = 40.0


class Session:
    """Measures the parts that the command line names, and keeps results.json up to date meanwhile."""

    def __init__(self, chosen: argparse.Namespace, ground: Ground) -> None:
        self._chosen = chosen
        self._ground = ground
        self._absent: dict[str, str] = {}
        here = []
        for name in chosen.peers:
            peer = peers.load(name)
            reason = peer.missing(ground.environment)
            if reason is None:
                here.append(peer)
            else:
                self._absent[name] = reason
                say(f"Without {name}: {reason}")
        self._schedule = Schedule(
            layouts=[layout for layout in LAYOUTS if layout.option in chosen.layouts],
            cases=[case for case in CASES if case.name in chosen.cases],
            peers=here,
            rounds=chosen.rounds,
            seconds=chosen.seconds,
        )
        self._frame: dict[str, Any] = {
            "machine": machine.facts(ground.environment),
            "versions": {peer.name: peer.version(ground.environment) for peer in here},
            "titles": {peer.name: peer.title for peer in here},
            "absent": self._absent,
            "parts": [],
            "samples": [],
            "switches": None,
            "costs": None,
            "supervision": None,
            "scale": None,
            "starts": None,
            "sites": None,
            "observing": None,
        }
        self._source = store.source(ground.environment)
        self._before = Others(0.0, 0.0)
        self._began = ""

    def tell_plan(self) -> None:
        """Say what is measured and how long that takes."""
        if "loads" in self._chosen.parts:
            progress = Progress(self._schedule)
            say(f"{progress.loads} loads, about {words(progress.estimate_s)}")
        for kind, seconds in estimates(self._schedule).items():
            if kind in self._chosen.parts and kind != "loads":
                say(f"{kind}, about {words(seconds)}")

    def measure(self, path: Path) -> None:
        """Measure every part; the file has what is finished at any time. Raises LoadError."""
        results = store.read(path) if self._chosen.merge else None
        if results is not None:
            for kind in self._chosen.parts:
                store.check(results, {**self._frame, "parts": [self._part(kind, [])]})
        for kind in store.KINDS:
            if kind in self._chosen.parts:
                self._begin()
                results = self._loads(path, results) if kind == "loads" else self._other(kind, path, results)

    def _begin(self) -> None:
        self._began = store.now()
        self._before = quiet.look()
        if self._before.load_percent + self._before.stolen_percent > quiet.NOISY_PERCENT:
            say(
                f"This machine is not quiet: others use {self._before.load_percent:.0f} % of it, "
                f"and {self._before.stolen_percent:.0f} % is stolen."
            )

    def _loads(self, path: Path, base: store.Results | None) -> store.Results | None:
        """Run the loads, saving after each round."""
        progress = Progress(self._schedule)
        samples: list[Sample] = []
        results = base
        for sample in measure(self._schedule, self._ground):
            if samples and sample.round != samples[-1].round:
                results = self._save_loads(path, base, samples)
            samples.append(sample)
            figures = sample.failure or (
                f"{sample.rate:9.0f}/s  {(sample.cpu_s_per_10k or 0.0) * 100:7.1f} µs of CPU  p99 "
                f"{sample.p99_ms:8.2f} ms  errors {sample.errors}  others {sample.other_load_percent:.0f} %"
            )
            say(f"{sample.round}  {sample.layout}  {sample.case:8}  {sample.peer:12} {figures}  {progress.advance()}")
        return self._save_loads(path, base, samples) if samples else results

    def _save_loads(self, path: Path, base: store.Results | None, samples: list[Sample]) -> store.Results:
        part = self._part("loads", samples)
        new = {**self._frame, "parts": [part], "samples": [sample.as_data() for sample in samples]}
        results = store.merged(base, new)
        store.save(path, results)
        return results

    def _other(self, kind: str, path: Path, base: store.Results | None) -> store.Results:
        """Measure a part that is no loads."""
        part = self._part(kind, [])
        figures: Any
        if kind == "supervision":
            figures = {**supervision.measure(self._ground), **faults.measure(self._ground)}
        elif kind == "scale":
            figures = scale.measure(self._ground)
        elif kind == "starts":
            figures = starts.measure(self._ground)
        elif kind == "sites":
            figures = sites.measure(self._ground, self._schedule.rounds, self._schedule.seconds)
            part["other_load"] |= quiet.summarize(quiet.during(figures["samples"]))
        elif kind == "observing":
            figures = observing.measure(self._ground, self._schedule.rounds, self._schedule.seconds)
            part["other_load"] |= quiet.summarize(quiet.during(figures))
        elif kind == "switches":
            figures = switches.measure(self._ground, self._schedule.rounds, self._schedule.seconds)
            part["other_load"] |= quiet.summarize(quiet.during(figures))
        else:
            figures = costs.measure(self._schedule, self._ground)
            part["other_load"] |= figures["profile"].get("other_load", {})
        part["ended"] = store.now()
        results = store.merged(base, {**self._frame, "parts": [part], kind: figures})
        store.save(path, results)
        return results

    def _part(self, kind: str, samples: list[Sample]) -> dict[str, Any]:
        """Describe what was measured, when, and what else the machine did."""
        schedule = self._schedule
        if kind == "loads" and not samples:
            cells = [[layout.name, case.name] for layout in schedule.layouts for case in schedule.cases
                     if layout in case.layouts]  # fmt: skip
        else:
            cells = [list(cell) for cell in dict.fromkeys((sample.layout, sample.case) for sample in samples)]
        return {
            "what": kind,
            "began": self._began,
            "ended": store.now(),
            "source": self._source,
            "cells": cells,
            "peers": [peer.name for peer in schedule.peers] if kind == "loads" else [],
            "rounds": max((sample.round for sample in samples), default=schedule.rounds),
            "seconds": schedule.seconds,
            "other_load": {
                "before_percent": self._before.load_percent,
                "before_stolen_percent": self._before.stolen_percent,
                **quiet.summarize(quiet.during([sample.as_data() for sample in samples])),
            },
        }


def estimates(schedule: Schedule) -> dict[str, float]:
    """Return about how many seconds each part takes."""
    return {
        "loads": estimate_s(schedule),
        "switches": switches.estimate_s(schedule.rounds, schedule.seconds),
        "costs": costs.estimate_s(schedule),
        "supervision": SUPERVISION_S,
        "scale": SCALE_S,
        "starts": STARTS_S,
        "sites": sites.estimate_s(schedule.rounds, schedule.seconds),
        "observing": observing.estimate_s(schedule.rounds, schedule.seconds),
    }
