"""Each release is in the list, and what tests keep of the last one is that release."""

from __future__ import annotations

import re
import zipfile

import pytest

from tools import freeze_runtime
from tools.releases import ROOT, Release, commit_of, git, releases

RELEASES = releases()
KEPT = zipfile.ZipFile(freeze_runtime.ARCHIVE)
# a set-up tests a copy without .git where an account cannot read the clone, and the other tests here have no need of it
HAS_REPOSITORY = (ROOT / ".git").exists()


def whole(release: Release) -> str:
    """Return what it is made of; a clone that does not have it cannot be tested."""
    commit = freeze_runtime.source_of(release)
    if commit is None:
        words = f"{release.commit} of release {release.version} is not here, the clone has no history"
        pytest.fail(f"{words}: git fetch --unshallow --tags")
    return commit


def test_the_changelog_and_the_list_have_the_same_releases() -> None:
    told = re.findall(r"^## \[(\d\S*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert told == [(release.version, release.date.isoformat()) for release in RELEASES]
    assert all(re.fullmatch("[0-9a-f]{40}", release.commit) for release in RELEASES)


@pytest.mark.parametrize("release", RELEASES if HAS_REPOSITORY else (), ids=lambda release: release.version)
def test_a_commit_has_the_version_and_a_tag_names_the_commit(release: Release) -> None:
    shown = git("show", f"{whole(release)}:wsgigroups/__init__.py").stdout.decode()
    assert f'__version__ = "{release.version}"' in shown
    assert commit_of(f"refs/tags/{release.tag}") in (None, release.commit)


def test_what_is_kept_says_of_what_it_is() -> None:
    newest = RELEASES[0]
    assert KEPT.comment.decode() == freeze_runtime.comment_on(newest, newest.commit), "python -m tools.freeze_runtime"
    assert f'__version__ = "{newest.version}"' in KEPT.read("wsgigroups/__init__.py").decode()


@pytest.mark.parametrize("release", RELEASES[:1] if HAS_REPOSITORY else (), ids=lambda release: release.version)
def test_what_is_kept_is_what_git_has(release: Release) -> None:
    """By its contents: the bytes of an archive depend on the version of zlib."""
    kept = {name: KEPT.read(name) for name in KEPT.namelist()}
    assert kept == freeze_runtime.modules_at(whole(release)), "python -m tools.freeze_runtime"
