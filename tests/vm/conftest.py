"""Tenants whose manager has a hierarchy with all controllers; as an ordinary user, that user's manager."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import Accounts
from support.kernels import PlacedTenants


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        yield Accounts(Path(directory))


@pytest.fixture
def tenants(tmp_path: Path, accounts: Accounts) -> Iterator[PlacedTenants]:
    with PlacedTenants(tmp_path, accounts if os.geteuid() == 0 else None) as under_test:
        yield under_test
