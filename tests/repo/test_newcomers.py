"""What a newcomer reads is true: commands, files and codes that the documents name exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import pages
from support.tree import ROOT, files

import wsgigroups
from wsgigroups.cli.main import COMMANDS
from wsgigroups.errors import ExitCode
from wsgigroups.runtime.wire.exits import STEPS

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = [path for path in files() if path.suffix == ".md"]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [block.body for block in pages.blocks(text) if block.language == language]


def test_the_two_commands_are_there() -> None:
    commands = "\n".join(blocks(README, "sh"))
    assert "make try" in commands
    assert "make test" in commands


def test_the_first_command_serves_a_project() -> None:
    first = blocks(README, "sh")[0].split()
    assert first[:2] == ["wsgigroups", "serve"]
    assert first[1] in COMMANDS
    assert README.index("wsgigroups serve") < README.index("```toml"), "a newcomer needs no file"


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for body in blocks((ROOT / path).read_text(encoding="utf-8"), "sh"):
        named = set(re.findall(r"^make ([a-z-]+)", body, re.MULTILINE))
        assert named <= targets, f"{path} names {named - targets}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    for target in LINK.findall(text):
        assert (ROOT / path.parent / target).exists(), f"{path} links to {target}"


def test_ci_runs_the_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("make test")


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    found = blocks(README, "toml")
    assert found
    for number, body in enumerate(found):
        path = tmp_path / f"{number}.toml"
        path.write_text(body)
        command = [sys.executable, "-m", "wsgigroups", "validate", "--offline", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_changelog_has_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "keepachangelog.com" in changelog
    sections = re.findall(r"^## \[(.*?)\]", changelog, re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert wsgigroups.__version__ in sections
    dated = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert dated == sections[1:], "every release has its date, as Keep a Changelog asks"


def test_the_readme_fits_on_two_screens() -> None:
    """Of a large window; the table of measurements is made by a program, and is not counted."""
    text = re.sub(r"(?s)<!-- measured: begin -->.*<!-- measured: end -->", "", README)
    assert len(text.splitlines()) < 130
    for page in ("docs/index.md", "docs/tutorial.md", "docs/installation.md", "docs/troubleshooting.md"):
        assert f"]({page})" in text


def test_exit_codes_are_documented() -> None:
    text = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \| `{code.name}` \|", text, re.MULTILINE), code
    for step, number in STEPS.items():
        assert re.search(rf"^\| {number} \| `{step}` \|", text, re.MULTILINE), step


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert 'license = { text = "MIT" }' in (ROOT / "pyproject.toml").read_text()
