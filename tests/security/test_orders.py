"""As an ordinary user: under one user id a daemon is still no administrator, whoever its parent is by now.

Files and processes of that user are its own, unless it is confined; the sockets of manager and spawner are no way
around that.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import Accounts
from support.tenants import Tenants

pytestmark = pytest.mark.ordinary


class OneUser(Tenants):
    """Both groups are this user's."""

    def one(self, name: str, app: str, port: int, _user: str, extra: str = "") -> str:
        return super().one(name, app, port, "", extra).replace('user = ""\n', "")


@pytest.fixture
def there(tmp_path: Path, accounts: Accounts) -> Iterator[OneUser]:
    with OneUser(tmp_path, accounts) as under_test:
        under_test.accounts = None  # nobody else is to be had
        under_test.apply(under_test.text())
        yield under_test


def test_a_daemon_gives_no_orders(there: OneUser) -> None:
    assert there.attack(f"orders{there.run_dir}/control.sock") == [403, 403]
    assert there.pids("b")
    assert "comes from a daemon" not in there.log("manager"), "that is for who called"
    assert "may not POST /v1/stop" in there.log("manager")


def test_nor_to_another_manager(there: OneUser) -> None:
    os.kill(there.manager_pid, signal.SIGKILL)
    there.apply(there.text())
    assert there.attack(f"orders{there.run_dir}/control.sock") == [403, 403]


def test_a_spawner_takes_no_daemon_for_its_manager(there: OneUser) -> None:
    """It would hand over the sockets and channels of all groups, and fork what is not confined."""
    assert there.attack(f"stand-in{there.run_dir}/spawners") == [0, 0]
    assert "refused a connection from a process that comes from a daemon" in there.log("manager")
    there.all_is_well()


def test_others_of_the_user_do(there: OneUser) -> None:
    assert there.cli("stop", "b").returncode == 0
    assert json.loads(there.cli("status", "-o", "json").stdout)["groups"]
