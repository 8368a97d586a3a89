"""The one command: `python -m benchmarks.run`, or `make bench`. Measures, then writes results.json, RESULTS.md and the
table of README.md.

Runs in a process of its own on an otherwise quiet machine; ends everything that it starts. results.json is written
after each round, so a run that is cut off leaves the rounds that it had finished; `--merge` adds to what is there.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that `python benchmarks/run.py` works too

from benchmarks import ground as grounds
from benchmarks import load, peers, report, store
from benchmarks.cases import CASES, LAYOUTS
from benchmarks.load import LoadError
from benchmarks.session import Session
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
    known_layouts = [layout.option for layout in LAYOUTS]
    parser.add_argument("--parts", type=names, default=list(store.KINDS), help=f"of {','.join(store.KINDS)}")
    parser.add_argument("--cases", type=names, default=known_cases, help=f"of {','.join(known_cases)}")
    parser.add_argument("--peers", type=names, default=list(peers.NAMES), help=f"of {','.join(peers.NAMES)}")
    parser.add_argument("--layouts", type=names, default=known_layouts, help=f"of {','.join(known_layouts)}")
    parser.add_argument("--rounds", type=int, help="medians are over these; else as each case has it")
    parser.add_argument("--seconds", type=float, help="of each load; else as each case has it")
    parser.add_argument("--merge", action="store_true", help="keep what results.json has of other parts and cases")
    parser.add_argument("--estimate", action="store_true", help="only tell how long the loads would take")
    parser.add_argument("--supervision", action="store_true", help="short for --parts supervision")
    parser.add_argument("--no-supervision", action="store_true", help="short for all parts but that")
    parser.add_argument("--output", type=Path, default=HERE, help="directory for results.json, RESULTS.md and plots")
    parser.add_argument("--report", action="store_true", help="measure nothing: write RESULTS.md from results.json")
    chosen = parser.parse_args(arguments)
    for given, known in (
        (chosen.parts, store.KINDS),
        (chosen.cases, known_cases),
        (chosen.peers, peers.NAMES),
        (chosen.layouts, known_layouts),
    ):
        unknown = sorted(set(given) - set(known))
        if unknown:
            parser.error(f"cannot measure {', '.join(unknown)}: known are {', '.join(known)}")
    if (chosen.rounds is not None and chosen.rounds < 1) or (chosen.seconds is not None and chosen.seconds <= 0):
        parser.error("--rounds and --seconds are above 0")
    if chosen.supervision:
        chosen.parts = ["supervision"]
    elif chosen.no_supervision:
        chosen.parts = [part for part in chosen.parts if part != "supervision"]
    return chosen


def main(arguments: list[str]) -> None:
    """Entry point."""
    chosen = read_arguments(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that every server is ended
    results = chosen.output / "results.json"
    try:
        if not chosen.report:
            load.find_wrk()
            session = Session(chosen, grounds.prepare())
            session.tell_plan()
            if chosen.estimate:
                return
            chosen.output.mkdir(parents=True, exist_ok=True)
            session.measure(results)
        measured = store.read_existing(results)
        report.write(measured, chosen.output)
        if chosen.output == HERE:
            README.write_text(report.fill_readme(README.read_text(), measured))
    except (LoadError, SetUpError) as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit(f"stopped: finished rounds are in {results}; --report writes the document")
    say(f"Written: {chosen.output / 'RESULTS.md'}")


if __name__ == "__main__":
    main(sys.argv[1:])
