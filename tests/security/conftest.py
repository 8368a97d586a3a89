"""Two tenants under one manager of root's: alice attacks, bob is the neighbour who must not notice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import Accounts
from support.tenants import Tenants


@pytest.fixture
def tenants(tmp_path: Path) -> Iterator[Tenants]:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        with Tenants(tmp_path, Accounts(Path(directory))) as under_test:
            yield under_test
