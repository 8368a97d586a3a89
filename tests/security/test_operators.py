"""An operator of one tenant's group, as the kernel knows him: the command line, with root's manager. As root."""

from __future__ import annotations

import json

import pytest
from support.manager import APPS, ManagerUnderTest

pytestmark = pytest.mark.root

JOE, STRANGER = 61777, 61778  # numbers without accounts


def test_an_operator_has_his_group_and_nothing_else(manager: ManagerUnderTest) -> None:
    app = f'app = "hello_app:application"\npython-path = ["{APPS}"]\nuser = "nobody"\n'
    groups = [f'[groups.{name}]\n{app}listen = ["127.0.0.1:{manager.port()}"]\n' for name in ("mine", "other")]
    manager.apply(f'{groups[0]}operators = ["#{JOE}"]\n{groups[1]}')
    assert manager.cli_as(STRANGER, "status").returncode == 5, "the kernel lets nobody else connect"
    shown = json.loads(manager.cli_as(JOE, "status", "--json").stdout)
    assert [group["name"] for group in shown["groups"]] == ["mine"]
    before = manager.pids("mine")
    restarted = manager.cli_as(JOE, "restart", "mine")
    assert restarted.returncode == 0, restarted.stderr
    assert set(manager.pids("mine").values()).isdisjoint(before.values())
    logs = manager.cli_as(JOE, "logs", "mine")
    assert logs.returncode == 0, logs.stderr
    assert "mine/1" in logs.stdout
    deployed = manager.cli_as(JOE, "deploy", "mine", "v2")
    assert deployed.returncode == 0, deployed.stderr
    for command in (
        "deploy other",
        "stop mine",
        "scale mine=2",
        "restart other",
        "why other",
        "history",
        "plan",
        "shutdown",
    ):
        refused = manager.cli_as(JOE, *command.split())
        assert refused.returncode in (4, 5), f"{command}: {refused.stderr}"
    line = json.loads((manager.state_dir / "audit.jsonl").read_text().splitlines()[-1])
    assert (line["uid"], line["user"], line["outcome"]) == (JOE, f"#{JOE}", "refused")
    manager.apply("".join(groups))
    assert manager.cli_as(JOE, "status").returncode == 5, "he may connect no more"
