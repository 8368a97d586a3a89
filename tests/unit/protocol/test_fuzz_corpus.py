"""Inputs that a fuzzer found interesting: what must hold for any bytes holds for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.targets import TARGETS

KEPT = Path(__file__).resolve().parents[2] / "fuzz" / "corpus"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_kept_inputs(target: str) -> None:
    inputs = sorted((KEPT / target).iterdir())
    assert inputs
    for path in inputs:
        TARGETS[target](path.read_bytes())
