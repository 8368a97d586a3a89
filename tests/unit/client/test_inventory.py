"""Inventories of Ansible in YAML: which machines they name, and how those are reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.cli.status_machines import read_inventory
from wsgigroups.client.inventory import RemoteMachine
from wsgigroups.client.machines import command_for
from wsgigroups.errors import ExitCode, WsgigroupsError

INVENTORY = """
all:
  vars: {ansible_user: deploy, ansible_port: 2200}
  hosts:
    db1:
  children:
    web:
      vars: {ansible_user: www, groups_program: /opt/wsgigroups/bin/wsgigroups}
      hosts:
        web1: {ansible_host: 192.0.2.1}
        web2: {ansible_host: "2001:db8::2", ansible_port: 22}
      children:
        canaries:
          vars: {ansible_become: yes}
          hosts: {web3: }
    everybody:
      hosts: {web1: , web3: {ansible_user: root}}
"""


def read(tmp_path: Path, text: str) -> list[RemoteMachine]:
    file = tmp_path / "hosts.yml"
    file.write_text(text)
    return read_inventory(file)


def test_what_is_nearer_to_a_host_wins(tmp_path: Path) -> None:
    program = "/opt/wsgigroups/bin/wsgigroups"
    assert read(tmp_path, INVENTORY) == [
        RemoteMachine("db1", "db1", 2200, "deploy"),
        RemoteMachine("web1", "192.0.2.1", 2200, "www", program=program),
        RemoteMachine("web2", "2001:db8::2", 22, "www", program=program),
        RemoteMachine("web3", "web3", 2200, "root", become=True, program=program),
    ]


def test_groups_beside_all_have_what_all_has(tmp_path: Path) -> None:
    text = "web: {hosts: {a: , b: {ansible_user: c}}}\nall: {vars: {ansible_user: d}}\n"
    assert read(tmp_path, text) == [RemoteMachine("a", "a", None, "d"), RemoteMachine("b", "b", None, "c")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all: {hosts: {}}", "it has no hosts"),
        ("all: {hosts: [a]}", "hosts of all is no table"),
        ("all: {hosts: {'-oProxyCommand=x': }}", "not a word that ssh can be given"),
        ("all: {hosts: {'a b': }}", "not a word"),
        ("all: {hosts: {'web[1:3]': }}", "not a word"),
        ("all: {hosts: {a: {ansible_host: '{{ b }}'}}}", "not a word"),
        ("all: {hosts: {a: {ansible_user: '-x'}}}", "not a word"),
        ("all: {hosts: {a: {ansible_port: ssh}}}", "is no port"),
        ("all: {hosts: {a: {ansible_port: 65536}}}", "is no port"),
        ("all: {hosts: {a: {groups_program: '{{ b }}'}}}", "is no path"),
        ("all: {hosts: {a: {groups_program: 1}}}", "is no path"),
        ("[all]\nweb1\n", "cannot read the inventory"),
        ("all: {hosts: {a: , a: }}", "cannot read the inventory"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WsgigroupsError) as caught:
        read(tmp_path, text)
    assert said in caught.value.message
    assert caught.value.exit_code == ExitCode.USAGE


def test_an_inventory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WsgigroupsError, match="cannot open") as caught:
        read_inventory(tmp_path / "hosts.yml")
    assert caught.value.exit_code == ExitCode.USAGE


def test_the_command_never_asks_and_takes_no_word_for_an_option() -> None:
    machine = RemoteMachine("web1", "192.0.2.1", 2200, "www", become=True, program="/opt/with space/wsgigroups")
    assert command_for(machine, 10.0, Path("/run/w")) == [
        "ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-p", "2200", "-l", "www", "--", "192.0.2.1",
        "sudo -n '/opt/with space/wsgigroups' --run-dir /run/w status -o json",
    ]  # fmt: skip
    assert command_for(RemoteMachine("a", "a"), 0.2)[-4:] == [
        "ConnectTimeout=1",
        "--",
        "a",
        "wsgigroups status -o json",
    ]
