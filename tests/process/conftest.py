"""A manager for a test of real processes; tests of a daemon or a spawner alone have another one of that name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import ManagerUnderTest
from support.warm import warm_for


@pytest.fixture
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ManagerUnderTest]:
    """Commands and managers in the background are forked, but in tests marked `cold`, and where time is measured."""
    with ManagerUnderTest(tmp_path, warm=warm_for(request)) as under_test:
        yield under_test
