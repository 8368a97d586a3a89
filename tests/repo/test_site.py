"""The documentation as a site: it can be built, all its links lead somewhere, and every page is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.tree import ROOT, files

from tools import site
from tools.choose import SetUpError

IN_DOCS = {path.relative_to("docs") for path in files() if path.suffix == ".md" and path.parts[0] == "docs"}
PAGES = {str(path) for path in IN_DOCS if path.parts[0] not in ("diagnostics", "decisions")}
HOME = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once."""
    target = tmp_path_factory.mktemp("site")
    site.build(target)
    return target


def in_navigation(node: Any) -> Iterator[str]:
    """Yield the files that a part of the navigation names."""
    if isinstance(node, str):
        yield node
    else:
        for item in node.values() if isinstance(node, dict) else node:
            yield from in_navigation(item)


def test_it_is_built_and_loads_nothing_from_elsewhere(built: Path) -> None:
    assert (built / "tutorial" / "index.html").is_file()
    assert (built / "diagnostics" / "WG0201" / "index.html").is_file()
    assert site.foreign(built) == []


def test_it_has_the_files_of_the_top_directory_and_all_commands(built: Path) -> None:
    for name in ("changelog", "contributing", "security-policy", "code-of-conduct"):
        assert (built / name / "index.html").is_file()
    commands = (built / "commands" / "index.html").read_text(encoding="utf-8")
    for name in ("validate", "apply", "config show"):
        assert f"wsgigroups {name} [OPTIONS]" in commands
    assert "../security/" in (built / "security-policy" / "index.html").read_text(encoding="utf-8")


def test_what_is_loaded_from_elsewhere_is_seen(tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text(
        '<link rel="canonical" href="https://a/"><link rel="stylesheet" href="https://fonts/x.css">'
        '<script src="//cdn/x.js"></script><img src="../own.png"><a href="https://b/">b</a>'
    )
    assert site.foreign(tmp_path) == ["x.html: https://fonts/x.css", "x.html: //cdn/x.js"]


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A\n\n[a](nowhere.md) [b](#nowhere)\n")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = re.sub(r"(?ms)^nav:.*", "nav: [index.md]\n", settings).replace("hooks:", "#")
    (tmp_path / "mkdocs.yml").write_text(settings)
    monkeypatch.setattr(site, "CLONE", tmp_path)
    with pytest.raises(SetUpError) as told:
        site.build(tmp_path / "out")
    assert "'nowhere.md'" in str(told.value)
    assert "'#nowhere'" in str(told.value)


def test_the_navigation_has_each_page_once() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").replace("!!python/object/apply:", "")
    named = list(
        in_navigation(YAML(typ="safe", pure=True).load(re.sub(r"slugify: \S+ ", "slugify: ", settings))["nav"])
    )
    assert len(named) == len(set(named))
    generated = {"changelog.md", "contributing.md", "security-policy.md", "code-of-conduct.md", "commands.md"}
    assert set(named) == PAGES | {"diagnostics/index.md"} | generated


def test_the_first_page_names_each_page() -> None:
    """For those who read in the repository."""
    named = re.findall(r"\]\(([^)#:]+\.md)", HOME)
    decisions = {str(path) for path in IN_DOCS if path.parts[0] == "decisions"}
    assert (PAGES | decisions) - set(named) == {"index.md"}
