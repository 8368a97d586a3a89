"""docs/ci.md, the pre-commit hook and the action do what they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.configurations import messages

import wsgigroups
from wsgigroups.config import capacity, files, load, reading
from wsgigroups.config.codes import CODES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
GOOD = 'version = 1\n[groups.blog]\napp = "blog:app"\nlisten = ["127.0.0.1:8000"]\n'
BAD = GOOD + "proceses = 2\nthreads = 100\n"


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def validate(directory: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wsgigroups", "validate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory, **more)


COMMANDS = [
    line.split("#")[0].strip()
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("wsgigroups validate") and "--facts" not in line
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_the_page_work(tmp_path: Path, command: str) -> None:
    (tmp_path / "groups.toml").write_text(GOOD)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "x.toml").write_text(GOOD)
    (tmp_path / "more.yaml").write_text("groups: {x: {app: 'a:b', listen: ['127.0.0.1:1']}}\n")
    shell = command.replace("wsgigroups", f"{shlex.quote(sys.executable)} -m wsgigroups", 1)
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "groups.toml").write_text(BAD)
    (tmp_path / "more.yaml").write_text("version: 2\n")
    assert subprocess.run(shell, shell=True, capture_output=True, check=False, cwd=tmp_path).returncode == 2


CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = [
    (language, text)
    for page in (CONFIGURATION, (ROOT / "README.md").read_text(encoding="utf-8"))
    for language, text in re.findall(r"```(toml|yaml)\n(version.*?)```", page, re.DOTALL)
]


@pytest.mark.parametrize(("language", "text"), EXAMPLES)
def test_documented_configurations_are_right(tmp_path: Path, language: str, text: str) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "x.toml").write_text(GOOD)
    path = tmp_path / f"groups.{language}"
    path.write_text(text)
    loaded = load([path], variables={}, trust=False)
    assert not loaded.diagnostics, messages(loaded)


def test_limits_are_the_documented_ones() -> None:
    text = re.sub(r"\s+", " ", CONFIGURATION.rpartition("## Limits")[2])
    values, tables = capacity.MAXIMUM_VALUES, capacity.MAXIMUM_TABLES
    for words in (
        f"{reading.MAXIMUM_FILE_BYTES // 2**20} MiB, {values} values and {tables} tables",
        f"together {reading.MAXIMUM_TOTAL_BYTES // 2**20} MiB",
        f"{files.MAXIMUM_FILES} in number",
        f"{capacity.MAXIMUM_DEPTH} levels",
        f"may have {capacity.MAXIMUM_ITEMS} entries",
        f"{capacity.MAXIMUM_ANCHORS} anchors",
        f"{capacity.MAXIMUM_ALIASED} values",
        f"{capacity.MAXIMUM_SHOWN} diagnostics are shown",
    ):
        assert words in text
    too_large = CODES["WG0103"].text
    assert f"{values} values and {tables} tables" in too_large
    assert f"{capacity.MAXIMUM_ANCHORS} anchors" in CODES["WG0110"].text


def test_the_json_on_the_page_is_what_comes_out(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text(GOOD)
    done = validate(tmp_path, "--offline", "--output", "json", "groups.toml")
    assert json.loads(done.stdout) == json.loads(blocks("json")[0])


def test_facts_as_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text(GOOD)
    facts = [sys.executable, "-m", "wsgigroups", "facts", "-o", "json", "groups.toml"]
    done = subprocess.run(facts, capture_output=True, text=True, check=True, cwd=tmp_path)
    (tmp_path / "prod.json").write_text(done.stdout)
    done = validate(tmp_path, "--facts", "prod.json", "groups.toml")
    assert done.returncode == 0, done.stdout


def test_data_and_chatter_are_apart(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text(BAD)
    done = validate(tmp_path, "--offline", "groups.toml")
    assert "error[WG0201]" in done.stdout
    assert done.stderr == "1 error and 1 warning in groups.toml\nExplain one of them: wsgigroups explain WG0201\n"
    for output in ("json", "github", "gitlab", "sarif", "junit"):
        done = validate(tmp_path, "--offline", "--output", output, "groups.toml")
        assert (done.returncode, done.stderr) == (2, "")
        assert "WG0201" in done.stdout
    assert "\x1b" not in validate(tmp_path, "--offline", "groups.toml").stdout
    environ = {**os.environ, "FORCE_COLOR": "1"}
    assert "\x1b" in validate(tmp_path, "--offline", "groups.toml", env=environ).stdout
    environ["NO_COLOR"] = "1"
    assert "\x1b" not in validate(tmp_path, "--offline", "groups.toml", env=environ).stdout


(HOOK,) = YAML(typ="safe", pure=True).load((ROOT / ".pre-commit-hooks.yaml").read_text())


def test_the_hook_is_the_one_on_the_page() -> None:
    pages = [YAML(typ="safe", pure=True).load(block) for block in blocks("yaml")]
    used = next(page for page in pages if page and "repos" in page)
    assert used["repos"][0]["hooks"] == [{"id": HOOK["id"]}]
    assert used["repos"][0]["rev"] == f"v{wsgigroups.__version__}"
    names = re.findall(r"`(groups\.\w+)`", TEXT.split("The hook checks")[1].split(";")[0])
    assert len(names) == 3
    assert all(re.search(HOOK["files"], name) for name in names), "what the page says is checked"
    # pre-commit installs the repository with pip and runs the entry's first word from there
    assert HOOK["language"] == "python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert shlex.split(HOOK["entry"])[0] in project["scripts"]


def run_hook(repository: Path) -> subprocess.CompletedProcess[str]:
    """Do what pre-commit does: the entry, its args, and every file of the repository that `files` matches, at once.

    Once for all files: they are checked together (require_serial, no batches for so few).
    """
    assert HOOK["require_serial"] is True
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True)
    chosen = [name for name in listed.stdout.split("\0") if re.search(HOOK["files"], name)]
    program, *arguments = [*shlex.split(HOOK["entry"]), *HOOK.get("args", [])]
    command = [sys.executable, "-m", program, *arguments, *chosen]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return subprocess.CompletedProcess(chosen, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of somebody who uses the hook."""
    files = {
        "groups.toml": GOOD,
        # another project's: the same group at the same address is no mistake
        "deploy/groups.yaml": "version: 1\ngroups: {blog: {app: 'a:b', listen: ['127.0.0.1:8000']}}\n",
        "mygroups.toml": "not checked",
        "groups.toml.j2": "not checked",
        "groups.json": "not checked",
        "a groups.yml": "not checked",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def test_the_hook_passes_and_fails(repository: Path) -> None:
    done = run_hook(repository)
    assert done.args == ["deploy/groups.yaml", "groups.toml"]
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (repository / "groups.toml").write_text(BAD)
    done = run_hook(repository)
    assert done.returncode == 2
    assert "error[WG0201]" in done.stdout
    assert " --> groups.toml:5:1" in done.stdout
    assert "\x1b" not in done.stdout


def test_other_files_on_the_page_are_well_formed(tmp_path: Path) -> None:
    """By the schemas that check-jsonschema brings for them."""
    (tmp_path / ".github").mkdir()
    kinds = {"jobs": "vendor.github-workflows", "configuration": "vendor.gitlab-ci"}
    checked = []
    for block in blocks("yaml"):
        page = YAML(typ="safe", pure=True).load(block) or {}
        for key, schema in kinds.items():
            if key in page:
                path = tmp_path / f"{key}.yml"
                path.write_text(block)
                checked.append(key)
                done = subprocess.run(
                    [BIN / "check-jsonschema", "--builtin-schema", schema, path],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stdout
    assert sorted(checked) == ["configuration", "jobs"]


ACTION = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text())


def test_the_action_is_well_formed() -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    script = ACTION["runs"]["steps"][1]["run"]
    assert "${{" not in script, "values of inputs never become text of the script"
    assert {name.upper() for name in ACTION["inputs"]} == set(ACTION["runs"]["steps"][1]["env"])


def run_action(directory: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's second step as the runner does, with a program that is installed already."""
    program = directory / "runner" / "wsgigroups" / "bin" / "wsgigroups"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wsgigroups "$@"\n')
    program.chmod(0o755)
    values = {name.upper(): inputs.get(name, str(item["default"])) for name, item in ACTION["inputs"].items()}
    script = ACTION["runs"]["steps"][1]["run"]
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={**os.environ, **values, "RUNNER_TEMP": str(directory / "runner"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_action_installs_itself(tmp_path: Path) -> None:
    """Its first step, with a pip that only notes what it is asked for: there is no network in a test."""
    step = ACTION["runs"]["steps"][0]
    assert ACTION["runs"]["using"] == "composite"
    assert [item["shell"] for item in ACTION["runs"]["steps"]] == ["bash", "bash"]
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").write_text(
        '#!/bin/sh\n[ "$1 $2" = "-m venv" ] || exit 9\nmkdir -p "$3/bin"\n'
        f'printf \'#!/bin/sh\\necho "$@" > {tmp_path}/asked\\n\' > "$3/bin/pip"\nchmod +x "$3/bin/pip"\n'
    )
    (programs / "python3").chmod(0o755)
    place = tmp_path / "a place with spaces"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path / "runner temp"),
            "GITHUB_ACTION_PATH": str(place),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().strip() == f"install --quiet {place}"
    assert '"$RUNNER_TEMP/wsgigroups/bin/wsgigroups"' in ACTION["runs"]["steps"][1]["run"]


def test_the_action_annotates_and_fails(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text(BAD)
    done = run_action(tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("::error file=groups.toml,line=5,")
    assert "::warning file=groups.toml,line=6," in done.stdout
    done = run_action(tmp_path, strict="true", sarif="out.sarif")
    assert "::warning" not in done.stdout
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"


def test_the_action_passes(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD + "[profiles.p.groups.blog]\nthreads = 3\n")
    (tmp_path / "b.toml").write_text("[server]\ntimeout = 3\n")
    done = run_action(tmp_path, files="a.toml b.toml", profile="p")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    done = run_action(tmp_path, files="$(touch broken) a.toml")
    assert not (tmp_path / "broken").exists()
    assert done.returncode == 2
