"""The releases, by `tools/releases.toml`: version, date, and the commit that each was made of."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tools" / "releases.toml"


@dataclass(frozen=True)
class Release:
    """commit: all 40 digits."""

    version: str
    date: dt.date
    commit: str

    @property
    def tag(self) -> str:
        """Return the name of its tag, whether that exists or not."""
        return f"v{self.version}"


def releases() -> list[Release]:
    """Return them, newest first."""
    return [Release(**item) for item in tomllib.loads(LIST.read_text())["releases"]]


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in the clone, whoever owns it; what comes of it is for the caller to see."""
    return subprocess.run(["git", "-C", str(ROOT), "-c", "safe.directory=*", *words], capture_output=True, check=False)


def commit_of(name: str) -> str | None:
    """Return the commit of a tag or another name; None where this clone does not have it."""
    done = git("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
    return done.stdout.decode().strip() if done.returncode == 0 else None
