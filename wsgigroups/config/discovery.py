"""Looking at a project directory: what WSGI application is in it, and with which environment. Reads, never imports."""

from __future__ import annotations

import ast
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAXIMUM_SOURCE_BYTES = 1024 * 1024
_FACTORIES = ("create_app", "make_app", "create_application", "make_application", "get_app", "get_application")
_MODULES = ("wsgi", "app", "application", "main", "server")
_VENVS = (".venv", "venv", "env", ".env")
_FRAMEWORKS = {"Flask": "Flask", "Bottle": "Bottle", "Falcon": "Falcon", "App": "Falcon", "API": "Falcon"}


@dataclass(slots=True)
class Found:
    """One application in a directory; paths are relative to it."""

    name: str
    what: str  # in words, for the comment
    app: str | None = None
    script: str | None = None
    callable_object: str = "application"
    python_path: str = "."
    environment: dict[str, str] = field(default_factory=dict)
    python_home: str | None = None
    single_threaded: bool = False


def discover(directory: Path) -> list[Found]:
    """Return what was found, the likeliest first; python_home is filled in for all."""
    found = [*_django(directory), *_modules(directory), *_scripts(directory)]
    python_home = find_venv(directory)
    for item in found:
        item.python_home = python_home
        item.name = project_name(directory)
    return found


def find_venv(directory: Path) -> str | None:
    """The name of a virtual environment in the directory."""
    for name in _VENVS:
        if (directory / name / "pyvenv.cfg").is_file():
            return name
    return None


def project_name(directory: Path) -> str:
    """The project's name from pyproject.toml, else the directory's, as the name of a group."""
    name = directory.resolve().name
    text = _read(directory / "pyproject.toml")
    if text:
        section = re.search(r"^\[(?:project|tool\.poetry)\]\s*$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
        written = re.search(r"""^name\s*=\s*["']([^"'\n]+)["']""", section[1], re.MULTILINE) if section else None
        name = written[1] if written else name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._").lower()[:64]
    return plain if plain and plain not in ("manager", "gateway") else "app"


def _django(directory: Path) -> Iterator[Found]:
    for base in _bases(directory):
        text = _read(directory / base / "manage.py")
        if text is None or "django" not in text.lower():
            continue
        settings = re.search(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""", text)
        if not settings:
            continue
        package = settings[1].split(".")[0]
        for candidate in (settings[1].rsplit(".", 1)[0], package):
            if (directory / base / candidate.replace(".", "/") / "wsgi.py").is_file():
                yield Found(
                    name="",
                    what=f"Django (settings {settings[1]})",
                    app=f"{candidate}.wsgi:application",
                    python_path=base,
                    environment={"DJANGO_SETTINGS_MODULE": settings[1]},
                )
                return


def _modules(directory: Path) -> Iterator[Found]:
    for base in _bases(directory):
        root = directory / base
        names = [name for name in _MODULES if (root / f"{name}.py").is_file()]
        packages = sorted(item.name for item in _entries(root) if (item / "__init__.py").is_file())
        packages = [name for name in packages if name.isidentifier() and name not in ("tests", "test", "docs")]
        names += packages + [f"{package}.{name}" for package in packages for name in _MODULES]
        for name in names:
            found = _module(root, name)
            if found:
                found.python_path = base
                yield found


def _module(root: Path, name: str) -> Found | None:
    path = root / name.replace(".", "/")
    text = _read(path / "__init__.py") if path.is_dir() else _read(path.with_suffix(".py"))
    if text is None:
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    bound = _bindings(tree, text)
    if bound.instance:
        variable, framework = bound.instance
        return Found("", f"{framework} (the object {variable} in {name})", app=f"{name}:{variable}")
    speaks_wsgi = "wsgi" in name or "start_response" in text
    if bound.factory and not (speaks_wsgi and bound.callable == "application"):
        return Found("", f"a factory ({bound.factory} in {name})", app=f"{name}:{bound.factory}()")
    if bound.callable and speaks_wsgi:
        return Found("", f"WSGI (the object {bound.callable} in {name})", app=f"{name}:{bound.callable}")
    return None


@dataclass(slots=True)
class _Bindings:
    """What a module binds that could be an application."""

    instance: tuple[str, str] | None = None  # its name and framework
    callable: str | None = None
    factory: str | None = None


def _bindings(tree: ast.Module, text: str) -> _Bindings:
    bound = _Bindings()
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else []:
            if not isinstance(target, ast.Name):
                continue
            made = _constructor(node)
            if made in _FRAMEWORKS and (made not in ("App", "API") or "falcon" in text):
                bound.instance = (target.id, _FRAMEWORKS[made])
            elif made in _FACTORIES:
                # made when the module is imported: calling the factory again would make a second one
                bound.instance = bound.instance or (target.id, "WSGI")
            elif target.id in ("application", "wsgi_app") or (target.id == "app" and bound.callable is None):
                bound.callable = target.id
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == "application":
            bound.callable = node.name
        elif isinstance(node, ast.FunctionDef) and node.name in _FACTORIES and not _needs_arguments(node):
            bound.factory = node.name
    return bound


def _constructor(node: ast.stmt) -> str:
    value = getattr(node, "value", None)
    if not isinstance(value, ast.Call):
        return ""
    function = value.func
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _needs_arguments(node: ast.FunctionDef) -> bool:
    positional = [*node.args.posonlyargs, *node.args.args]
    keywords = [default for default in node.args.kw_defaults if default is None]
    return len(positional) > len(node.args.defaults) or bool(keywords)


def _scripts(directory: Path) -> Iterator[Found]:
    for folder in (directory, *(item for item in sorted(_entries(directory)) if not item.name.startswith("."))):
        for path in sorted(_entries(folder, files=True)):
            if path.suffix == ".wsgi":
                script = str(path.relative_to(directory))
                yield Found("", f"a WSGI script ({script})", script=script)


def _bases(directory: Path) -> list[str]:
    """Where modules may lie: here, in src, or in the one directory that has manage.py."""
    bases = ["."]
    if (directory / "src").is_dir():
        bases.append("src")
    bases += [item.name for item in sorted(_entries(directory)) if (item / "manage.py").is_file()]
    return list(dict.fromkeys(bases))


def _entries(directory: Path, *, files: bool = False) -> list[Path]:
    try:
        names = sorted(os.listdir(directory))[:500]
    except OSError:
        return []
    paths = [directory / name for name in names if name not in _VENVS and not name.startswith(("node_modules", "."))]
    return [path for path in paths if (path.is_file() if files else path.is_dir())]


def _read(path: Path) -> str | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return file.read(MAXIMUM_SOURCE_BYTES).decode("utf-8", "replace")
