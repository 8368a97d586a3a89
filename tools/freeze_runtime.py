"""Keep the last release for tests: `python -m tools.freeze_runtime` writes tests/support/frozen_runtime.zip.

It is made of the tag of the newest release in tools/releases.toml, or of the recorded commit where there is no tag. The
archive has the package's modules: the runtime, and the manager that speaks its language. Its comment says which release
of which commit it is. This version must be able to take over from spawners that have loaded that runtime.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile

from tools.releases import ROOT, Release, commit_of, git, releases

ARCHIVE = ROOT / "tests" / "support" / "frozen_runtime.zip"
_FIRST = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip knows


def source_of(release: Release) -> str | None:
    """Return the commit of its tag, else the recorded one; None where this clone has neither."""
    return commit_of(f"refs/tags/{release.tag}") or commit_of(release.commit)


def comment_on(release: Release, commit: str) -> str:
    """Return what the archive says of itself."""
    return f"wsgigroups {release.version}, commit {commit}"


def modules_at(commit: str) -> dict[str, bytes]:
    """Return the package's modules as they are in a commit, by path. Raises ValueError with git's own words."""
    done = git("archive", "--format=tar", commit, "wsgigroups")
    if done.returncode:
        raise ValueError(done.stderr.decode().strip())
    found = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        for member in sorted(tar.getmembers(), key=lambda item: item.name):
            file = tar.extractfile(member) if member.isfile() and member.name.endswith(".py") else None
            if file is not None:
                found[member.name] = file.read()
    return found


def frozen(modules: dict[str, bytes], comment: str) -> bytes:
    """Return the archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment.encode()
        for name, data in modules.items():
            archive.writestr(zipfile.ZipInfo(name, _FIRST), data, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def main() -> None:
    """Write the archive."""
    release = releases()[0]
    commit = source_of(release)
    if commit is None:
        sys.exit(f"error: this clone has neither {release.tag} nor {release.commit}: git fetch --unshallow --tags")
    comment = comment_on(release, commit)
    ARCHIVE.write_bytes(frozen(modules_at(commit), comment))
    print(f"{ARCHIVE.relative_to(ROOT)}: {comment}, {ARCHIVE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
