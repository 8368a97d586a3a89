"""`make package`: the sdist and a wheel in `dist/`, checked as an index checks them, installed and started.

The wheel has this machine's tag, `linux_x86_64` for example. Those for an index are made by the release workflow.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.choose import SetUpError
from tools.environment import CLONE, run, say

DIST = CLONE / "dist"


def build(target: Path) -> list[Path]:
    """Build both into the directory; return their paths."""
    run([sys.executable, "-m", "hatchling", "build", "-d", str(target)])
    return sorted(target.iterdir())


def check(files: list[Path]) -> None:
    """Raise SetUpError where an index would refuse a file, or could not show its description."""
    run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)])


def try_out(file: Path) -> str:
    """Install a file into an environment of its own, with what it depends on; return what its program says."""
    with tempfile.TemporaryDirectory() as place:
        run([sys.executable, "-I", "-m", "venv", place])
        run([f"{place}/bin/python", "-I", "-m", "pip", "install", "--quiet", str(file)])
        done = subprocess.run(
            [f"{place}/bin/wsgigroups", "--version"], capture_output=True, check=False, cwd=place, text=True
        )
    if done.returncode:
        raise SetUpError(f"cannot start what {file.name} installs:\n{done.stderr}")
    return done.stdout.strip()


def main() -> None:
    """Entry point of the make target."""
    shutil.rmtree(DIST, ignore_errors=True)
    try:
        files = build(DIST)
        check(files)
        for file in files:
            say(f"{file.relative_to(CLONE)}: {try_out(file)}")
    except SetUpError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
