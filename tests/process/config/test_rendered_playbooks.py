"""Ansible and its linter, at their strictest, have nothing against what `render ansible` writes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.playbooks import installed

from wsgigroups.cli.main import cli

GROUPS = """
version = 1
[groups.shop]
release = "1"
script = "/srv/shop/releases/1/shop.wsgi"
listen = ["127.0.0.1:8000"]
"""


@pytest.mark.slow
def test_syntax_and_lint(tmp_path: Path) -> None:
    programs, directory = installed(), tmp_path / "rollout"
    (tmp_path / "groups.toml").write_text(GROUPS)
    (tmp_path / "hosts.yml").write_text("all: {hosts: {web1: , web2: }}\n")
    done = CliRunner().invoke(cli, ["render", "ansible", str(tmp_path / "groups.toml"), "-o", str(directory)])
    assert done.exit_code == 0, done.output
    for command in (
        ("ansible-playbook", "-i", str(tmp_path / "hosts.yml"), "--syntax-check", "rollout.yml"),
        # --offline: it would ask for its newest version
        ("ansible-lint", "--offline", "--strict", "--profile", "production"),
    ):
        said = run(programs, directory, command)
        assert said.returncode == 0, said.stdout + said.stderr
    looked_at = re.search(r"in (\d+) files processed", said.stdout + said.stderr)
    assert looked_at is not None
    assert int(looked_at[1]) >= 10, "the role, too"


def run(programs: Path, directory: Path, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    home = str(directory.parent)
    environment = {"PATH": f"{programs}:{os.defpath}", "HOME": home, "LANG": "C.UTF-8", "ANSIBLE_NOCOLOR": "1",
                   "ANSIBLE_HOME": f"{home}/.ansible", "NO_COLOR": "1"}  # fmt: skip
    return subprocess.run(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
