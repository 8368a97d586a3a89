"""The versions that CI installs are written down: all that the project asks for, in versions that it allows."""

from __future__ import annotations

import re
import sys

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.environment import CLONE
from tools.lock import CONSTRAINTS, INDEX, LOCK

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINES = [line for line in (CLONE / CONSTRAINTS).read_text().splitlines() if not line.startswith("#")]
PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text())
LOCKED = tomllib.loads((CLONE / LOCK).read_text())["package"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
ASKED_FOR = [
    *PROJECT["project"]["dependencies"],
    *(requirement for extra in EXTRAS.values() for requirement in extra),
    *(requirement for group in PROJECT["dependency-groups"].values() for requirement in group),
]
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def chosen(python: str) -> dict[str, str]:
    """Versions by name for a Python of that version."""
    surroundings = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    pins = map(Requirement, LINES)
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate({**surroundings})
    }


@pytest.mark.parametrize("python", VERSIONS)
def test_each_package_that_is_asked_for_has_a_version_that_is_allowed(python: str) -> None:
    found = chosen(python)
    for text in ASKED_FOR:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"python_version": python}):
            continue
        version = found.get(canonicalize_name(requirement.name))
        assert version is not None, f"{text}: make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{text}, not {version}: make lock"


def test_each_line_is_a_version_and_the_lock_has_the_same() -> None:
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; .+)?", line.strip()) for line in LINES)
    pins = {(canonicalize_name(pin.name), next(iter(pin.specifier)).version) for pin in map(Requirement, LINES)}
    assert pins == {(package["name"], package["version"]) for package in LOCKED if package["name"] != "wsgigroups"}


def test_the_lock_is_of_what_the_project_asks_for() -> None:
    (own,) = (package for package in LOCKED if package["name"] == "wsgigroups")
    metadata = own["metadata"]
    locked = [*metadata["requires-dist"], *(item for group in metadata["requires-dev"].values() for item in group)]
    asked = {(canonicalize_name(found.name), found.specifier) for found in map(Requirement, ASKED_FOR)}
    assert {(item["name"], SpecifierSet(item.get("specifier", ""))) for item in locked} == asked, "make lock"
    assert set(metadata["requires-dev"]) == set(PROJECT["dependency-groups"])


def test_the_lock_names_the_public_index_alone_and_has_a_hash_of_each_file() -> None:
    text = (CLONE / LOCK).read_text()
    assert set(re.findall(r"\w+://([^/\"]*)", text)) == {"pypi.org", "files.pythonhosted.org"}
    others = [package for package in LOCKED if package["name"] != "wsgigroups"]
    assert all(package["source"] == {"registry": INDEX} for package in others)
    files = [file for package in others for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]]
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]) for file in files)
    assert len(files) >= len(others)
