"""The files of the project, as git has them; where there is no git or no repository, as they lie in the directory.

Runs in pytest's process; used by the tests of tests/repo.
"""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".build", ".git", ".hypothesis", "__pycache__", "dist", "node_modules", "site"}


@cache
def files() -> tuple[Path, ...]:
    """Return the paths of all files, relative to ROOT, sorted: tracked ones, and new ones that git does not ignore."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return tuple(sorted(walk(ROOT)))
    return tuple(sorted(Path(name) for name in told.split("\0") if name and (ROOT / name).is_file()))


def walk(top: Path) -> list[Path]:
    """Return the files below `top`, without what tools leave behind."""
    found = []
    for path in top.iterdir():
        if path.name in NOT_OURS or path.name.startswith(".venv") or path.name.endswith(("_cache", ".egg-info")):
            continue
        found += walk(path) if path.is_dir() else [path.relative_to(ROOT)]
    return found


def python_files(*tops: str) -> list[Path]:
    """Return the Python files below the given directories (or the given files), relative to ROOT."""
    wanted = [Path(top) for top in tops]
    return [
        path
        for path in files()
        if path.suffix == ".py" and any(path == top or top in path.parents or top == Path() for top in wanted)
    ]


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse((ROOT / path).read_bytes(), str(path))


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, as written; relative imports resolved."""
    found = set()
    package = list(path.parent.parts)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *([node.module] if node.module else [])]))
    return found


def calls(path: Path) -> list[tuple[int, str]]:
    """Return (line, dotted name) of each call whose function is written as a dotted name."""
    return [
        (node.lineno, ast.unparse(node.func))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    ]
