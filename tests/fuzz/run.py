"""`python tests/fuzz/run.py TARGET [--seconds N]`: fuzz one target with atheris, keeping what reaches new code.

Runs by hand, not in CI. Exits with libFuzzer's code; a crashing input is written to the current directory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "apps")]


def main() -> None:
    """Seed the corpus from the verdict table, then fuzz."""
    import atheris

    with atheris.instrument_imports(include=["wsgigroups.runtime"]):
        from fuzz.targets import TARGETS
        from support import corpus
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    seeds = Path(tempfile.mkdtemp(prefix="fuzz-seeds-"))
    kept = HERE / "corpus" / options.target
    kept.mkdir(parents=True, exist_ok=True)
    for number, (_name, data, _verdict) in enumerate(corpus.CASES):
        if len(data) < 1000:
            start = {"heads": 0, "chunks": data.find(b"\r\n\r\n") + 4, "uwsgi": 4}[options.target]
            (seeds / f"case-{number}").write_bytes(data[start:])
    arguments = [sys.argv[0], f"-max_total_time={options.seconds}", "-max_len=2000", "-timeout=5"]
    atheris.Setup([*arguments, str(kept), str(seeds)], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
