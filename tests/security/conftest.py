"""Two tenants and a manager of root's that serves both; as an ordinary user, that user's manager."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import Accounts
from support.manager import ManagerUnderTest
from support.tenants import Tenants
from support.warm import warm_for


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        yield Accounts(Path(directory))


@pytest.fixture
def manager(request: pytest.FixtureRequest, tmp_path: Path, accounts: Accounts) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path, accounts if os.geteuid() == 0 else None, warm_for(request)) as under_test:
        yield under_test


@pytest.fixture
def tenants(request: pytest.FixtureRequest, tmp_path: Path, accounts: Accounts) -> Iterator[Tenants]:
    """alice attacks, bob is the neighbour who must not notice; as root."""
    with Tenants(tmp_path, accounts, warm_for(request)) as under_test:
        yield under_test
