"""Six applications that people run, in one configuration: visited, restarted under load, visited again."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from support.manager import ManagerUnderTest
from support.real_applications import APPLICATIONS, installed

ACCOUNT = "www-data"


def own(top: Path) -> None:
    """Give the data to the daemons' account, as root."""
    if os.geteuid() == 0:
        for path in (top, *top.rglob("*")):
            shutil.chown(path, ACCOUNT, ACCOUNT)


@pytest.mark.timeout(600)  # the first one on a machine installs them
def test_they_serve_and_a_restart_under_load_loses_nothing(manager: ManagerUnderTest) -> None:
    environment = installed()
    ports, text = {}, f'[server]\nuser = "{ACCOUNT}"\ngroup = "{ACCOUNT}"\n'
    for application in APPLICATIONS:
        data = manager.base / "data" / application.name
        data.mkdir(parents=True, mode=0o755)
        application.prepare(environment, data)
        own(data)
        ports[application.name] = manager.port()
        text += application.group(ports[application.name], environment, data)
    manager.apply(text)
    before = {name: manager.pids(name) for name in ports}
    for application in APPLICATIONS:
        application.visit(ports[application.name], environment, manager.base / "data" / application.name)
    with contextlib.ExitStack() as stack:
        clients = {
            application.name: stack.enter_context(manager.clients(ports[application.name], 1, application.page))
            for application in APPLICATIONS
        }
        for each in clients.values():
            each.wait_for_more(1)
        assert manager.cli("restart", *ports).returncode == 0
        for each in clients.values():
            each.wait_for_more(2)
    assert {name: each.failures for name, each in clients.items()} == {name: [] for name in ports}
    for name in ports:
        assert before[name].items().isdisjoint(manager.pids(name).items()), name
    for application in APPLICATIONS:
        assert manager.get(ports[application.name], application.page)[0] == 200
