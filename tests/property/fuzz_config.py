"""Coverage-guided fuzzing of the configuration loader: `python tests/property/fuzz_config.py DIR -max_total_time=300`.

Needs atheris (pip install atheris). Whatever raises, or has a place outside of its file, is a finding. Arguments are
libFuzzer's. DIR keeps what reached new code; the smaller of it is copied to tests/property/corpus, which tests read.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wsgigroups.config", "ruamel.yaml", "tomllib"]):
    from wsgigroups.config import build, compose, configuration, normalise, toml, yaml  # noqa: F401
    from wsgigroups.config.loader import load

_PLACE = Path(tempfile.mkdtemp(prefix="wsgigroups-fuzz-", dir="/dev/shm"))


def check(data: bytes) -> None:
    """Load the bytes as TOML and as YAML."""
    for suffix in (".toml", ".yaml"):
        path = _PLACE / f"groups{suffix}"
        path.write_bytes(data)
        loaded = load([path], variables={}, trust=False)
        for item in loaded.diagnostics:
            source = loaded.source(item.file)
            if item.span is None or source is None:
                continue
            lines = source.text.split("\n")
            if not 1 <= item.span.line <= len(lines) + 1 or item.span.column > len(lines[item.span.line - 1]) + 1:
                raise AssertionError(f"{item} points outside of its file")


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
