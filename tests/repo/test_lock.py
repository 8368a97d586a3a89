"""The versions that CI installs are written down: all that the project asks for, in versions that it allows."""

from __future__ import annotations

import re
import sys

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.environment import CLONE
from tools.lock import CONSTRAINTS, GROUPS, command

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINES = [line for line in (CLONE / CONSTRAINTS).read_text().splitlines() if not line.startswith("#")]
PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text())
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


def test_the_groups_are_all_groups_and_no_place_of_packages_is_named() -> None:
    assert set(GROUPS) == set(PROJECT["dependency-groups"])
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; .+)?", line.strip()) for line in LINES)
    assert "--index-url" not in command("uv")
