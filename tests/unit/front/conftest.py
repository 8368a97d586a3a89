"""Fixtures of the front's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.driven import Driven


@pytest.fixture
def driven() -> Iterator[Driven]:
    """A server that the test drives, of an application that answers its path."""
    found = Driven()
    yield found
    found.close()
