"""The one command: `python -m benchmarks.run`, or `make bench`. Measures, then writes results.json, RESULTS.md and the
table of README.md.

Runs in a process of its own on an otherwise quiet machine; ends everything that it starts.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that `python benchmarks/run.py` works too

from benchmarks import faults, load, machine, peers, report, supervision
from benchmarks import ground as grounds
from benchmarks.cases import CASES, LAYOUTS
from benchmarks.load import LoadError
from benchmarks.measuring import Schedule, measure
from tools.choose import SetUpError
from tools.environment import say

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"


def names(text: str) -> list[str]:
    """Split a list given on the command line."""
    return [word for word in text.split(",") if word]


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the command line, checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    known_cases = [case.name for case in CASES]
    known_layouts = [layout.name.replace("×", "x") for layout in LAYOUTS]
    parser.add_argument("--cases", type=names, default=known_cases, help=f"of {','.join(known_cases)}")
    parser.add_argument("--peers", type=names, default=list(peers.NAMES), help=f"of {','.join(peers.NAMES)}")
    parser.add_argument("--layouts", type=names, default=known_layouts, help=f"of {','.join(known_layouts)}")
    parser.add_argument("--rounds", type=int, default=5, help="medians are over these")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--supervision", action="store_true", help="only start-up, command and memory figures")
    parser.add_argument("--no-supervision", action="store_true", help="leave these out")
    parser.add_argument("--output", type=Path, default=HERE, help="directory for results.json, RESULTS.md and plots")
    parser.add_argument("--report", action="store_true", help="measure nothing: write RESULTS.md from results.json")
    chosen = parser.parse_args(arguments)
    for given, known in (
        (chosen.cases, known_cases),
        (chosen.peers, peers.NAMES),
        (chosen.layouts, known_layouts),
    ):
        unknown = sorted(set(given) - set(known))
        if unknown:
            parser.error(f"cannot measure {', '.join(unknown)}: known are {', '.join(known)}")
    if chosen.rounds < 1 or chosen.seconds <= 0:
        parser.error("--rounds and --seconds are above 0")
    return chosen


def main(arguments: list[str]) -> None:
    """Entry point."""
    chosen = read_arguments(arguments)
    results = chosen.output / "results.json"
    try:
        if not chosen.report:
            chosen.output.mkdir(parents=True, exist_ok=True)
            results.write_text(json.dumps(run(chosen), indent=1, ensure_ascii=False) + "\n")
        measured = json.loads(results.read_text())
        report.write(measured, chosen.output)
        if chosen.output == HERE:
            README.write_text(report.fill_readme(README.read_text(), measured))
    except (LoadError, SetUpError) as problem:
        sys.exit(f"error: {problem}")
    say(f"Written: {chosen.output / 'RESULTS.md'}")


def run(chosen: argparse.Namespace) -> dict[str, object]:
    """Measure what was chosen; return the content of results.json."""
    load.find_wrk()
    ground = grounds.prepare()
    here, absent = [], {}
    for name in chosen.peers:
        peer = peers.load(name)
        reason = peer.missing(ground.environment)
        if reason is None:
            here.append(peer)
        else:
            absent[name] = reason
            say(f"Without {name}: {reason}")
    schedule = Schedule(
        layouts=[layout for layout in LAYOUTS if layout.name.replace("×", "x") in chosen.layouts],
        cases=[case for case in CASES if case.name in chosen.cases],
        peers=here,
        rounds=chosen.rounds,
        seconds=chosen.seconds,
    )
    samples = []
    for sample in () if chosen.supervision else measure(schedule, ground):
        samples.append(sample)
        figures = sample.failure or f"{sample.rate:9.0f}/s  p99 {sample.p99_ms:8.2f} ms  errors {sample.errors}"
        say(f"{sample.round}  {sample.layout}  {sample.case:6}  {sample.peer:12} {figures}")
    return {
        "machine": machine.facts(ground.environment),
        "command": {"rounds": chosen.rounds, "seconds": chosen.seconds},
        "versions": {peer.name: peer.version(ground.environment) for peer in here},
        "titles": {peer.name: peer.title for peer in here},
        "absent": absent,
        "samples": [sample.as_data() for sample in samples],
        "supervision": None if chosen.no_supervision else {**supervision.measure(ground), **faults.measure(ground)},
    }


if __name__ == "__main__":
    main(sys.argv[1:])
