"""The Python environment of a project: beside its code, or where Poetry, Pipenv, PDM and uv keep it. Reads only."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

VENVS = (".venv", "venv", "env", ".env")
_MOST = 4096  # characters of a file that holds a path


def find_environment(directory: Path, variables: Mapping[str, str], read: Callable[[Path], str | None]) -> str | None:
    """Return the environment: its name below the directory, or its path. None: there is none that can be told.

    variables: the process environment; read: the text of a file, None where there is none.
    """
    for name in (variables.get("UV_PROJECT_ENVIRONMENT", ""), *VENVS):
        if name and _is_environment(directory / name):
            return name
    for found in (
        _pointed_at(directory, read),
        _of_poetry(directory, variables, read),
        _of_pipenv(directory, variables),
    ):
        path = next((path for path in found if _is_environment(path)), None)
        if path is not None:
            place = os.path.relpath(path, os.path.abspath(directory))
            return str(path) if place.startswith("..") else place
    return None


def _is_environment(path: Path) -> bool:
    try:
        return (path / "pyvenv.cfg").is_file()
    except (OSError, ValueError):
        return False


def _pointed_at(directory: Path, read: Callable[[Path], str | None]) -> Iterator[Path]:
    """By a file `.venv` (Pipenv, virtualenvwrapper), `.pdm-python` (PDM 2.8) or `.pdm.toml` (before)."""
    for name, pattern in (
        (".venv", r"\A\s*(\S[^\n]*)"),
        (".pdm-python", r"\A\s*(\S[^\n]*)"),
        (".pdm.toml", r"""^\s*path\s*=\s*["']([^"'\n]+)["']"""),
    ):
        found = re.search(pattern, (read(directory / name) or "")[:_MOST], re.MULTILINE)
        if found:
            path = directory / found[1].strip()
            # PDM names the interpreter, bin/python of the environment
            yield path.parent.parent if path.name.startswith("python") else path


def _of_poetry(directory: Path, variables: Mapping[str, str], read: Callable[[Path], str | None]) -> Iterator[Path]:
    """`NAME-HASH-pyX.Y` below its cache: poetry.utils.env.env_manager.EnvManager.generate_env_name."""
    text = read(directory / "pyproject.toml") or ""
    if "tool.poetry" not in text and not (directory / "poetry.lock").is_file():
        return
    name = re.search(r"""^name\s*=\s*["']([^"'\n]+)["']""", text, re.MULTILINE)
    plain = re.sub(r"[ $`!*@\"\\\r\n\t]", "_", name[1].lower() if name else "")[:42]
    digest = hashlib.sha256(os.path.realpath(directory).encode("utf-8", "surrogateescape")).digest()
    start = f"{plain}-{base64.urlsafe_b64encode(digest).decode()[:8]}-py"
    cache = variables.get("POETRY_CACHE_DIR") or os.path.join(_cache(variables), "pypoetry")
    where = variables.get("POETRY_VIRTUALENVS_PATH") or os.path.join(cache, "virtualenvs")
    yield from _newest(directory, where, start)


def _of_pipenv(directory: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """`NAME-HASH` below ~/.local/share/virtualenvs: pipenv.project.Project._get_virtualenv_hash."""
    if not (directory / "Pipfile").is_file():
        return
    folder = os.path.realpath(directory)
    name = re.sub(r"[ &$`!*@\"()\[\]\\\r\n\t]", "_", os.path.basename(folder))[:42]
    digest = hashlib.sha256(os.path.join(folder, "Pipfile").encode("utf-8", "surrogateescape")).digest()[:6]
    start = f"{name}-{base64.urlsafe_b64encode(digest).decode()[:8]}"
    share = variables.get("XDG_DATA_HOME") or os.path.join(variables.get("HOME", "/"), ".local", "share")
    yield from _newest(directory, variables.get("WORKON_HOME") or os.path.join(share, "virtualenvs"), start)


def _newest(directory: Path, where: str, start: str) -> Iterator[Path]:
    """Environments that begin so, the newest Python first."""
    try:
        names = [name for name in os.listdir(where) if name.startswith(start)]
    except (OSError, ValueError):
        return
    for name in sorted(
        names, key=lambda name: [int(part) for part in re.findall(r"\d+", name[len(start) :])], reverse=True
    ):
        yield directory / where / name


def _cache(variables: Mapping[str, str]) -> str:
    return variables.get("XDG_CACHE_HOME") or os.path.join(variables.get("HOME", "/"), ".cache")
