"""`make coverage`: which branches the tests take in the packages that do nothing but compute; 95 of 100 at least.

Packages that talk to the system are left out: their tests run them as processes of their own, in which nobody measures.
What is measured is in pyproject.toml (`tool.coverage`). Further arguments go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tools.environment import CLONE

TESTS = (
    *(f"tests/unit/{name}" for name in ("config", "front", "gateway", "lifecycle", "manager", "metrics", "plan")),
    *(f"tests/unit/{name}" for name in ("protocol", "targets", "wsgi")),
    *(f"tests/property/test_{name}.py" for name in ("gateway_answers", "gateway_router", "plan_reasons", "planner")),
    *("tests/repo/test_schema.py", "tests/simulation"),
)
FEWER = {"WSGIGROUPS_SEEDS": "0-149"}  # histories of the simulation: more of them take no other branch


def main(arguments: list[str]) -> int:
    """Run the tests under measurement, and report; return the exit code."""
    (CLONE / ".build").mkdir(exist_ok=True)  # where the measurement is kept
    measure = [sys.executable, "-m", "coverage"]
    tests = [*measure, "run", "-m", "pytest", "-q", "-m", "not slow and not measured", *TESTS, *arguments]
    done = subprocess.run(tests, check=False, env={**os.environ, **FEWER}).returncode
    return done or subprocess.run([*measure, "report"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
