"""`make coverage`: which branches the tests take in the packages that do nothing but compute; 95 of 100 at least.

`make test` finds that out on the way, too. Packages that talk to the system are left out: their tests run them as
processes of their own, in which nobody measures. What is measured is in pyproject.toml (`tool.coverage`). Further
arguments go to pytest.
"""

from __future__ import annotations

import subprocess
import sys

from tools.environment import CLONE
from tools.shares import COVERED


def main(arguments: list[str]) -> int:
    """Run the tests under measurement, and report; return the exit code."""
    (CLONE / ".build").mkdir(exist_ok=True)  # where the measurement is kept
    measure = [sys.executable, "-m", "coverage"]
    tests = [*measure, "run", "-m", "pytest", "-q", "-m", "not measured", *COVERED, *arguments]
    done = subprocess.run(tests, check=False).returncode
    return done or subprocess.run([*measure, "report"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
