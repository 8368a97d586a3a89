"""Two tenants, and a manager of root's that serves both."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import Accounts
from support.manager import ManagerUnderTest


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        yield Accounts(Path(directory))


@pytest.fixture
def manager(tmp_path: Path, accounts: Accounts) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path, accounts) as under_test:
        yield under_test
