"""Looking at a project directory: what WSGI application is in it, and with which environment. Reads, never imports."""

from __future__ import annotations

import ast
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.commands_found import applications
from wsgigroups.config.django_static import static_of
from wsgigroups.config.environments import VENVS, find_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAXIMUM_SOURCE_BYTES = 1024 * 1024
_FACTORIES = ("create_app", "make_app", "create_application", "make_application", "get_app", "get_application")
_MODULES = ("wsgi", "app", "application", "main", "server")
_NAMED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?")  # module:callable, module:factory()
LOOKED_FOR = (
    "looked for manage.py, *.wsgi, Procfile, and Flask, Falcon, Bottle, Pyramid, create_app or application in wsgi.py, "
    "app.py, main.py and packages"
)
_FRAMEWORKS = {
    **dict.fromkeys(("Flask", "APIFlask", "Eve", "FlaskApp"), "Flask"),
    **dict.fromkeys(("Bottle", "default_app"), "Bottle"),
    **dict.fromkeys(("App", "API", "Falcon"), "Falcon"),
    "make_wsgi_app": "Pyramid",
}
_MEANT_BY = {"App": "falcon", "API": "falcon", "default_app": "bottle", "FlaskApp": "connexion"}


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
    static: dict[str, str] = field(default_factory=dict)  # directories by URL prefix, of files that no code answers


def discover(directory: Path) -> list[Found]:
    """Return what was found, the likeliest first; python_home is filled in for all."""
    found = [*_said(directory), *_django(directory), *_modules(directory), *_scripts(directory)]
    found = list({item.app or item.script: item for item in reversed(found)}.values())[::-1]
    python_home = find_venv(directory)
    for item in found:
        item.python_home = python_home
        item.name = project_name(directory)
    return found


def named(target: str, directory: Path) -> Found | None:
    """Return the application that somebody names, as module:callable below the directory or as the path of a file.

    A file is a .wsgi script, or a Python module in the directory. None: that is no such name, or there is none in it.
    What names an application that `discover` finds is that one, with its environment.
    """
    if _NAMED.fullmatch(target):
        known = [*_django(directory), *_modules(directory)]
        found = next((item for item in known if item.app == target), None)
        found = found or Found("", f"the object {target.partition(':')[2]} in {target.partition(':')[0]}", app=target)
    elif target.endswith(".py"):
        found = _module(directory, os.path.basename(target)[: -len(".py")])
    elif target.endswith(".wsgi"):
        found = Found("", f"a WSGI script ({os.path.basename(target)})", script=os.path.basename(target))
    else:
        return None
    if found:
        found.python_home = find_venv(directory)
        found.name = project_name(directory)
    return found


def folders(directory: Path) -> tuple[list[str], bool]:
    """The names of the directories that belong to the project itself, and whether there are no others.

    Others hold what is installed: environments and node_modules. Hidden ones do not count.
    """
    inner = [path.name for path in _entries(directory) if not (path / "pyvenv.cfg").exists()]
    try:
        visible = {name for name in os.listdir(directory) if not name.startswith(".") and (directory / name).is_dir()}
    except OSError:
        return [], True
    return inner, visible <= set(inner)


def find_venv(directory: Path) -> str | None:
    """The name of a virtual environment in the directory, or the path of one that belongs to it."""
    return find_environment(directory, os.environ, _read)


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
        settings = _settings_in(text)
        if not settings:
            continue
        for candidate in dict.fromkeys(
            (settings.rsplit(".", 1)[0], settings.split(".")[0], *_packages(directory / base))
        ):
            server = _read(directory / base / candidate.replace(".", "/") / "wsgi.py")
            if server is None:
                continue
            # manage.py is for developers: what wsgi.py says is meant for a server
            settings = _settings_in(server) or settings
            yield Found(
                name="",
                what=f"Django (settings {settings})",
                app=f"{candidate}.wsgi:application",
                python_path=base,
                environment={"DJANGO_SETTINGS_MODULE": settings},
                static=_django_static(directory, directory / base / settings.replace(".", "/")),
            )
            return


def _settings_in(text: str) -> str | None:
    found = re.search(r"""DJANGO_SETTINGS_MODULE["']\]?\s*[,=]\s*["']([\w.]+)["']""", text)
    return found[1] if found else None


def _packages(root: Path) -> list[str]:
    names = sorted(item.name for item in _entries(root) if (item / "__init__.py").is_file())
    return [name for name in names if name.isidentifier() and name not in ("tests", "test", "docs")]


def _said(directory: Path) -> Iterator[Found]:
    """What the project says itself: the command lines of its Procfile and pyproject.toml, and Flask's settings."""
    known = {item.app: item for item in (*_django(directory), *_modules(directory))}
    for app, where in applications(directory, _read):
        base = next((base for base in _bases(directory) if _is_module(directory / base, app)), None)
        if base is None:
            continue
        found = known.get(app)
        yield found or Found("", f"the application that {where} names", app=app, python_path=base)


def _is_module(root: Path, app: str) -> bool:
    path = root / app.partition(":")[0].replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _django_static(directory: Path, settings: Path) -> dict[str, str]:
    """Return what `collectstatic` has collected: nothing as long as its directory is not there."""
    path = settings / "__init__.py" if settings.is_dir() else settings.parent / f"{settings.name}.py"
    static = static_of(_read(path) or "", os.path.abspath(path))
    if static is None or not os.path.isdir(static[1]):
        return {}
    place = os.path.relpath(static[1], os.path.abspath(directory))
    return {static[0]: static[1] if place.startswith("..") else place}


def _modules(directory: Path) -> Iterator[Found]:
    for base in _bases(directory):
        root = directory / base
        names = [name for name in _MODULES if (root / f"{name}.py").is_file()]
        packages = _packages(root)
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


def pyramid_main(directory: Path) -> str | None:
    """The module whose `main(global_config, **settings)` makes a Pyramid application; None where there is none.

    No WSGI server can call that: PasteDeploy does, with the settings of a file.
    """
    for base in _bases(directory):
        for name in [*_MODULES, *_packages(directory / base)]:
            path = directory / base / name
            text = _read(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
            if text and "pyramid" in text and re.search(r"^def main\(\s*\w+\s*,\s*\*\*\s*\w+", text, re.MULTILINE):
                return name
    return None


def paste_file(directory: Path) -> str:
    """The file with the settings of a PasteDeploy application, as far as one is there."""
    return next(
        (name for name in ("production.ini", "development.ini") if (directory / name).is_file()), "production.ini"
    )


@dataclass(slots=True)
class _Bindings:
    """What a module binds that could be an application."""

    instance: tuple[str, str] | None = None  # its name and framework
    callable: str | None = None
    factory: str | None = None


def _bindings(tree: ast.Module, text: str) -> _Bindings:
    bound = _Bindings()
    for node in tree.body:
        for target in _targets(node):
            if not isinstance(target, ast.Name):
                continue
            made = _constructor(node)
            if made in _FRAMEWORKS and _MEANT_BY.get(made, "") in text:
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


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) and node.value is not None else []


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
    paths = [directory / name for name in names if name not in VENVS and not name.startswith(("node_modules", "."))]
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
