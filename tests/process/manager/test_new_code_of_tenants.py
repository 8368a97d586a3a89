"""As root: what a tenant owns is looked at with the tenant's eyes, and stays his alone."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.accounts import ALICE_UID, Accounts
from support.manager import APPS, ManagerUnderTest

pytestmark = pytest.mark.root


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerUnderTest]:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        with ManagerUnderTest(tmp_path, Accounts(Path(directory))) as under_test:
            yield under_test


def plan(manager: ManagerUnderTest) -> dict[str, Any]:
    done = manager.cli("plan", "-o", "json", str(manager.base / "groups.toml"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_tenants_code_is_compared_and_nothing_else_is_read(manager: ManagerUnderTest) -> None:
    top = manager.base / "alice"
    top.mkdir(mode=0o700)
    secret = manager.base / "secret.py"
    secret.write_text("root's = 1")
    secret.chmod(0o600)
    code = top / "app.py"
    code.write_text((APPS / "hello_app.py").read_text())
    (top / "linked.py").symlink_to(secret)
    os.mkfifo(top / "pipe.py")
    for path in (top, code):
        os.chown(path, ALICE_UID, ALICE_UID)
    port = manager.port()
    manager.apply(
        f'[groups.a]\nuser = "alice"\napp = "app:application"\nhome = "{top}"\nlisten = ["127.0.0.1:{port}"]\n'
    )
    assert plan(manager)["empty"]
    secret.write_text("root's = 2")
    assert plan(manager)["empty"]  # what a link of a tenant leads to is nobody's code
    code.write_text(code.read_text() + "# more\n")
    (step,) = plan(manager)["steps"]
    assert step["reasons"][0]["files"] == [str(code)]
    kept = "".join(path.read_text() for path in (manager.state_dir / "code").iterdir())
    assert str(code) in kept
    assert "linked.py" not in kept


def test_what_a_tenant_may_not_read_is_no_code_of_his(manager: ManagerUnderTest) -> None:
    top = manager.base / "alice"
    top.mkdir(mode=0o755)
    os.chown(top, ALICE_UID, ALICE_UID)
    (top / "app.py").write_text((APPS / "hello_app.py").read_text())
    hidden = top / "hidden"
    hidden.mkdir(mode=0o700)  # root's, in a directory of alice's: not for her eyes, and so not for ours
    (hidden / "more.py").write_text("")
    port = manager.port()
    manager.apply(
        f'[groups.a]\nuser = "alice"\napp = "app:application"\nhome = "{top}"\nlisten = ["127.0.0.1:{port}"]\n'
    )
    (hidden / "more.py").write_text("other")
    assert plan(manager)["empty"]
