"""A manager for a test of real processes; tests of a daemon or a spawner alone have another one of that name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import ManagerUnderTest


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path) as under_test:
        yield under_test
