"""What a public repository brings along: workflows and forms are well formed, and all texts name one address."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.tree import ROOT, files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").iterdir())
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "vendor.github-workflows"),
    **dict.fromkeys(FORMS, "vendor.github-issue-forms"),
    GITHUB / "ISSUE_TEMPLATE" / "config.yml": "vendor.github-issue-config",
}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_it_is_well_formed(path: Path) -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    command = [str(program), "--builtin-schema", SCHEMAS[path], str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_does_what_people_can_do(path: Path) -> None:
    """Its make targets exist, what it may do is said, and no text from outside becomes part of a script."""
    workflow = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^make (\S+)", "\n".join(scripts), re.MULTILINE)) <= targets
    assert not any("${{" in script for script in scripts)


def test_all_texts_name_one_address() -> None:
    owner = SOURCE.removeprefix("https://github.com/").removesuffix("/wsgigroups")
    named = re.compile(
        r"(?:github\.com/|uses: |raw\.githubusercontent\.com/)([\w.-]+)/wsgigroups\b|\b(OWNER|USER)/wsgigroups\b"
    )
    found = {
        (str(path), match[1] or match[2])
        for path in files()
        if path.suffix in {".md", ".yml", ".yaml", ".toml", ".py", ".json", ".service"}
        for match in named.finditer((ROOT / path).read_text(encoding="utf-8", errors="replace"))
    }
    places = {path for path, _owner in found}
    assert {"pyproject.toml", "action.yml", "docs/ci.md"} <= places, "mend the search above"
    assert {(path, name) for path, name in found if name != owner} == set()


def test_hooks_of_our_own_have_what_the_project_has() -> None:
    """What pre-commit installs for the check of samples is what the program depends on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (local,) = YAML(typ="safe", pure=True).load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    hooks = {hook["id"]: hook for hook in local["hooks"]}
    assert hooks["sample-configs"]["additional_dependencies"] == project["project"]["dependencies"]
    for name in ("ruff-format", "ruff-check"):
        assert hooks[name]["additional_dependencies"][0] in project["dependency-groups"]["lint"]
    samples = [str(path) for path in files() if re.search(hooks["sample-configs"]["files"], str(path))]
    assert len(samples) > 10
    program = hooks["sample-configs"]["entry"].replace("python ", f"{sys.executable} ")
    done = subprocess.run(f"{program} {samples[0]}", shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
