"""`status --inventory`: what comes of each machine's answer. ssh is a script here, in test_ansible_rollouts ssh."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from support.statuses import group, status

from wsgigroups.cli.main import cli

# answers with the file that is named like the host
SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
cd {directory} && . "./$2"
"""
INVENTORY = "all: {hosts: {web1: , web2: , db1: }}\n"


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the answers of hosts are: a script for each."""
    directory = tmp_path / "answers"
    directory.mkdir()
    (tmp_path / "ssh").write_text(SSH.format(directory=directory))
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.chdir(tmp_path)
    for host, document in (
        ("web1", status(group("shop"))),
        ("web2", status(group("shop", state="degraded", processes_ready=1, restarts=3), group("blog"))),
        ("db1", status(group("jobs"))),
    ):
        answer(directory, host, json.dumps(document))
    return directory


def answer(directory: Path, host: str, text: str, more: str = "") -> None:
    (directory / f"{host}.json").write_text(text)
    (directory / host).write_text(f"cat {host}.json; {more}")


def ask(*arguments: str, columns: str = "120") -> Result:
    return CliRunner(env={"COLUMNS": columns, "NO_COLOR": "1"}).invoke(
        cli, ["status", "--inventory", "hosts.yml", *arguments]
    )


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()]


def test_one_table_with_a_row_for_each_group(answers: Path) -> None:
    result = ask()
    assert result.exit_code == 0, result.output
    head, *found, last = rows(result)
    assert head[:4] == ["HOST", "GROUP", "READY", "STATE"]
    assert [row[:5] for row in found] == [
        ["web1", "●", "shop", "2/2", "ready"],
        ["web2", "◐", "shop", "1/2", "degraded"],
        ["web2", "●", "blog", "2/2", "ready"],
        ["db1", "●", "jobs", "2/2", "ready"],
    ]
    assert " ".join(last) == "3 machines, 3 of 4 groups ready"


@pytest.mark.parametrize("columns", ["40", "70", "90", "120"])
def test_the_table_fits_and_says_why_there_is_no_answer(answers: Path, columns: str) -> None:
    (answers / "web2").write_text("echo 'ssh: connect to host web2 port 22: Connection refused' >&2; exit 255")
    result = ask(columns=columns)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= int(columns)
    assert "Connection refused" in " ".join(result.stdout.split())
    assert "no status of 1" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("echo noise >&2; echo 'error: no manager is running for user joe' >&2; echo 'hint: x' >&2; exit 6",
         "no manager is running for user joe"),
        ("exit 127", "wsgigroups is not there: the variable groups_program of the inventory says where it is"),
        ("exit 1", "the command ended with exit code 1"),
        ("printf '\\033]52;c;eA==\\007' >&2; exit 255", "\\x1b]52;c;eA==\\x07"),
        ("echo hello", "what it answers is no status that this version knows"),
        ("echo []", "what it answers is no status that this version knows"),
        ("echo '{\"schema_version\": 2}'", "what it answers is no status that this version knows"),
        ("echo '{\"schema_version\": 1, \"groups\": [3]}'", "what it answers is no status that this version knows"),
        ("exec sleep 30", "no answer within 0.2 s"),
    ],
)  # fmt: skip
def test_why_a_machine_has_no_status(answers: Path, said: str, why: str) -> None:
    (answers / "web2").write_text(said)
    # the others are given their time: they are asked by themselves
    (Path("hosts.yml")).write_text("all: {hosts: {web2: }}")
    result = ask("-o", "json", "--timeout", "0.2s" if "sleep" in said else "60s")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "schema_version": 1, "hosts": [{"host": "web2", "error": why, "status": None}],
    }  # fmt: skip


def test_a_machine_cannot_write_to_the_terminal(answers: Path) -> None:
    harm = "\x1b]52;c;eA==\x07"
    document = status(group(f"shop{harm}", state=harm, python=harm, listen=[harm], not_in_force={harm: harm}))
    answer(answers, "web1", json.dumps(document))
    for more in ([], ["-o", "wide"], ["-o", "json"], ["-o", "yaml"]):
        result = ask(*more)
        assert "52;c" in result.stdout
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout


def test_documents_have_the_host_of_each_status(answers: Path) -> None:
    as_json = json.loads(ask("-o", "json").stdout)
    as_yaml = YAML(typ="safe", pure=True).load(ask("-o", "yaml").stdout)
    assert as_json == as_yaml
    assert [(item["host"], item["error"]) for item in as_json["hosts"]] == [
        ("web1", None), ("web2", None), ("db1", None),
    ]  # fmt: skip
    assert as_json["hosts"][2]["status"]["groups"][0]["name"] == "jobs"


def test_check_asks_whether_all_that_is_named_is_ready(answers: Path) -> None:
    def code(*names: str) -> object:
        arguments = ["status", "--inventory", "hosts.yml", "--check", *names]
        return CliRunner().invoke(cli, arguments, standalone_mode=False).return_value

    assert code() == 3
    assert code("blog") == 3, "two machines have no such group"
    Path("hosts.yml").write_text("all: {hosts: {web1: , db1: }}")
    assert code() == 0
    (answers / "db1").write_text("exit 255")
    assert code() == 3


def test_names_choose_groups_and_a_machine_without_them_says_so(answers: Path) -> None:
    result = ask("shop")
    assert [row[2] for row in rows(result)[1:3]] == ["shop", "shop"]
    assert "cannot find group 'shop'" in result.stdout
    assert "blog" not in result.stdout


@pytest.mark.parametrize("more", [["--watch"], ["--check", "--for", "1s"], ["--timeout", "0"]])
def test_it_looks_once_and_for_a_limited_time(answers: Path, more: list[str]) -> None:
    assert ask(*more).exit_code == 2


def test_a_timeout_is_for_machines() -> None:
    assert CliRunner().invoke(cli, ["status", "--timeout", "3s"]).exit_code == 2
