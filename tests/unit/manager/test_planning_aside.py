"""A plan is made beside the manager's event loop: a large configuration takes its time, and nobody may wait for it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from support.manager import APPS

from wsgigroups.config import Configuration, load
from wsgigroups.manager.applying import Applying
from wsgigroups.manager.store import Store
from wsgigroups.manager.supervision.shell import Outside, Shell
from wsgigroups.targets.resolve import surroundings


def test_a_configuration_is_read_in_another_thread(tmp_path: Path, port: int) -> None:
    file, threads = tmp_path / "groups.toml", []
    group = f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    file.write_text(f"version = 1\n{group}")

    def read() -> Configuration:
        threads.append(threading.get_ident())
        configuration = load([file], trust=False).configuration
        assert configuration
        return configuration

    async def planned() -> int:
        store = Store(tmp_path / "state")
        store.prepare()
        shell = Shell(Outside(tmp_path, 2, lambda _level, _text: None))
        applying = Applying(shell, store, surroundings(tmp_path, tmp_path / "log", tmp_path), shell.outside.log)
        counts: dict[str, int] = (await applying.plan(read))["counts"]
        return counts["add"]

    assert asyncio.run(planned()) == 1
    assert threads
    assert threading.get_ident() not in threads
