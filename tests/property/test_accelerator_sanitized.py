"""The accelerator under AddressSanitizer and UndefinedBehaviorSanitizer, for as long as CI has time for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.tree import ROOT

SECONDS = 6


@pytest.mark.slow
@pytest.mark.needs("gcc")
def test_no_sanitizer_finds_anything() -> None:
    program = ROOT / "tests" / "fuzz" / "sanitized.py"
    done = subprocess.run(
        [sys.executable, str(program), "--seconds", str(SECONDS)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of them taken" in done.stdout
