"""Whose addresses are in use: a manager's own are nobody else's, as far as this user is told of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import ClassVar

import pytest

from wsgigroups.cli.main import Globals
from wsgigroups.cli.own_addresses import with_taken_addresses
from wsgigroups.config import load


class Told:
    """A manager that tells of these addresses, and counts who asks."""

    own: ClassVar[list[str]] = []
    asked: ClassVar[list[str]] = []

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / "control.sock"

    def running(self) -> bool:
        return True

    def addresses(self) -> dict[str, object]:
        self.asked.append("addresses")
        return {"addresses": self.own}


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Told]:
    (tmp_path / "control.sock").touch()
    monkeypatch.setattr("wsgigroups.client.Client", Told)
    Told.own, Told.asked = [], []
    return Told


@pytest.mark.parametrize(("another", "found"), [(False, ["WG0626"]), (True, [])])
def test_who_sees_some_groups_only_is_warned_of_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another: bool, found: list[str]
) -> None:
    if another:
        monkeypatch.setattr(os, "geteuid", lambda: 61777)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert codes(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}") == found


def test_what_the_manager_listens_on_is_not_taken_from_it(tmp_path: Path, told: type[Told]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told.own = [f"127.0.0.1:{taken.getsockname()[1]}"]
        assert codes(tmp_path, *told.own) == []
    assert told.asked == ["addresses"]


def test_nobody_is_asked_while_nothing_is_in_use(tmp_path: Path, told: type[Told]) -> None:
    """A look at the manager takes time with a thousand groups."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert codes(tmp_path, address, f"unix:{tmp_path}/a.sock") == []
    assert told.asked == []


def codes(directory: Path, *addresses: str) -> list[str]:
    """What is said of a configuration with these addresses, about addresses in use."""
    path = directory / "groups.toml"
    path.write_text(f'version = 1\n[groups.a]\napp = "a:b"\nlisten = {list(addresses)}\n')
    check = with_taken_addresses(Globals(directory, None, None, "never", 0), lambda _parts: [])
    return [item.code for item in load([path], trust=False, check=check).diagnostics if item.code == "WG0626"]
