"""Flask and Django for each Python of this machine, in a directory per version that outlives the test run.

`make test` calls this as a program before the tests, as the account that owns the environment, so that the index is
asked once and every account can read what came. Elsewhere the first test that needs a version makes it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from support.constraints import constrained, digest
from support.interpreters import find, present

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_APPS = Path(__file__).parents[1] / "apps"
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_INSTALL_S = 300


def requirements() -> list[str]:
    """The dependency group `apps` of the project: what fits a version of Python, the index says."""
    groups = tomllib.loads(_PROJECT.read_text())["dependency-groups"]
    found: list[str] = groups["apps"]
    return found


def directory(version: str) -> Path:
    """Where the packages for that version are, or will be: beside the environment of the tests."""
    return Path(sys.prefix).parent / "frameworks" / f"{version}-{digest(requirements())}"


def installed(version: str) -> Path:
    """Return the directory with the packages, installed where they are missing. Raises LookupError, OSError."""
    target = directory(version)
    if target.is_dir():
        return target
    interpreter = find(version)
    if interpreter is None:
        raise LookupError(f"this machine has no Python {version}")
    target.parent.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{version}-") as temporary:
        scratch = Path(temporary)
        packages = scratch / "packages"
        pip = (_with_pip(interpreter, scratch / "venv"), "-I", "-m", "pip", "--disable-pip-version-check", "install")
        _run(
            *pip, "--quiet", "--no-compile", "--target", str(packages), *constrained(requirements(), _numbers(version))
        )
        _warm_up(interpreter, packages, scratch)
        packages.chmod(0o755)
        try:
            packages.rename(target)
        except OSError:  # somebody else was quicker
            if not target.is_dir():
                raise
    return target


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.rstrip("t").split(".")))  # 3.14t has no global lock


def _with_pip(interpreter: Path, scratch: Path) -> str:
    """Return a Python of that version with a pip that runs on it: its own, or that of an environment made for it."""
    with contextlib.suppress(OSError):
        _run(str(interpreter), "-I", "-m", "pip", "--version")
        return str(interpreter)
    _run(str(interpreter), "-I", "-m", "venv", str(scratch))
    return str(scratch / "bin" / "python")


def _warm_up(interpreter: Path, packages: Path, scratch: Path) -> None:
    """Compile what the fixtures use by importing them; all of Django would take ten times as long."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join([str(packages), str(_APPS)]),
        "DJANGO_SETTINGS_MODULE": "django_site.settings",
        "SITE_DATABASE": str(scratch / "site.db"),
    }
    _run(str(interpreter), "-s", "-c", "import flask_app, django_site.wsgi", env=environment)


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    old = os.umask(0o022)  # every account reads what is installed
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False, env=env)
    finally:
        os.umask(old)
    if done.returncode:
        raise OSError(0, f"{' '.join(command)} gave exit code {done.returncode}: {done.stdout}{done.stderr}")


def main() -> None:
    """Install for every version that is here, all at once, and forget what earlier requirements left."""
    versions = present()
    with concurrent.futures.ThreadPoolExecutor(len(versions)) as pool:
        wanted = set(pool.map(installed, versions))
    for path in (Path(sys.prefix).parent / "frameworks").iterdir():
        if path not in wanted:
            shutil.rmtree(path)
    print(f"Flask and Django for Python {', '.join(versions)} in {directory(versions[0]).parent}", file=sys.stderr)


if __name__ == "__main__":
    main()
