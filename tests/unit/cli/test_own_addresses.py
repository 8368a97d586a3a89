"""Whose addresses are in use: a manager's own are nobody else's, as far as this user is told of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from wsgigroups.cli.main import Globals
from wsgigroups.cli.own_addresses import with_taken_addresses
from wsgigroups.config import load


class Told:
    """A manager that tells of no group."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / "control.sock"

    def running(self) -> bool:
        return True

    def status(self) -> dict[str, object]:
        return {"groups": [], "gateway": None}


@pytest.mark.parametrize(("another", "found"), [(False, ["WG0626"]), (True, [])])
def test_who_sees_some_groups_only_is_warned_of_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another: bool, found: list[str]
) -> None:
    (tmp_path / "control.sock").touch()
    monkeypatch.setattr("wsgigroups.client.Client", Told)
    if another:
        monkeypatch.setattr(os, "geteuid", lambda: 61777)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = tmp_path / "groups.toml"
        path.write_text(f'version = 1\n[groups.a]\napp = "a:b"\nlisten = ["127.0.0.1:{taken.getsockname()[1]}"]\n')
        check = with_taken_addresses(Globals(tmp_path, None, None, "never", 0), lambda _parts: [])
        said = load([path], trust=False, check=check).diagnostics
    assert [item.code for item in said if item.code == "WG0626"] == found
