"""`python tests/fuzz/minimise.py TARGET DIRECTORY…`: print the inputs that are worth keeping, the smallest first.

Runs by hand, without atheris. An input is kept for a step from one line of the runtime to another that no smaller one
makes, or makes about as often.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "apps")]


def main(target: str, directories: list[str]) -> None:
    """Run every input of the directories, and print the paths of those to keep."""
    from fuzz.targets import TARGETS

    seen: set[Any] = set()
    inputs = {path.read_bytes(): path for directory in directories for path in Path(directory).iterdir()}
    for data in sorted(inputs, key=lambda data: (len(data), data)):
        steps = steps_of(TARGETS[target], data)
        if steps - seen:
            seen |= steps
            print(inputs[data])


def steps_of(run: Callable[[bytes], None], data: bytes) -> set[Any]:
    """Return every step from line to line that this input makes in the runtime, with about how often it does."""
    steps: Counter[Any] = Counter()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if "/wsgigroups/runtime/" not in frame.f_code.co_filename:
            return None
        line = 0

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal line
            steps[frame.f_code, event, line, frame.f_lineno] += 1
            line = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return {(step, count.bit_length()) for step, count in steps.items()}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
