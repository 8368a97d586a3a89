"""Looks at scripts and modules in a group's own interpreter: finds, reads and compiles them, imports and runs nothing.

Its text is given to that interpreter with -I -c, as the group's user; the command line never imports it. Standard
library only, Python 3.8 syntax. Reads a JSON list of questions from standard input, writes a JSON list of answers.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import sys
from importlib.machinery import PathFinder
from typing import Any, Dict, List, Optional, Set, Tuple

MAXIMUM_SOURCE_BYTES = 4 * 1024 * 1024
MAXIMUM_SUGGESTED = 100  # answers that name what there is instead; so many are shown of a file


@functools.lru_cache(maxsize=None)
def site_directories(prefix: str) -> Tuple[List[str], bool]:
    """The directories of an environment, those in its .pth files too; whether one has a finder of its own."""
    version = "python{}.{}".format(*sys.version_info[:2])
    found: List[str] = []
    active = False
    directories = [os.path.join(prefix, "lib", version, "site-packages")] if prefix else []
    if not prefix or sees_system(prefix):
        directories.append(os.path.join(sys.prefix, "lib", version, "site-packages"))
        # Debian's own layout
        directories.append(os.path.join(sys.prefix, "local", "lib", version, "dist-packages"))
        directories.append(os.path.join(sys.prefix, "lib", "python3", "dist-packages"))
    for directory in directories:
        if not os.path.isdir(directory):
            continue
        found.append(directory)
        for name in sorted(os.listdir(directory)):
            if name.endswith(".pth"):
                more, runs = read_pth(directory, name)
                found.extend(more)
                active = active or runs
    return found, active


def sees_system(prefix: str) -> bool:
    """Whether a venv was made with --system-site-packages."""
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            text = file.read(65536).lower().replace(" ", "")
    except OSError:
        return False
    return "include-system-site-packages=true" in text


def read_pth(directory: str, name: str) -> Tuple[List[str], bool]:
    """Directories that a .pth file names; whether it also installs a finder."""
    found: List[str] = []
    runs = False
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return found, runs
    for line in lines:
        if line.startswith(("import ", "import\t")):
            runs = runs or "editable" in line  # the finders of editable installations; others add no packages
        elif line.strip() and not line.startswith("#"):
            found.append(os.path.join(directory, line.strip()))
    return found, runs


@functools.lru_cache(maxsize=None)
def pth_directories(directory: str) -> Tuple[List[str], bool]:
    """Directories that the .pth files of a directory name; whether one of them installs a finder."""
    found: List[str] = []
    active = False
    for name in listed(directory):
        if name.endswith(".pth"):
            more, runs = read_pth(directory, name)
            found.extend(more)
            active = active or runs
    return found, active


def find_module(name: str, path: Any) -> Tuple[Any, Optional[str]]:
    """The spec of a dotted module without importing its parents; None when there is none."""
    spec = None
    parts = name.split(".")
    for number in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), path)
        if spec is None:
            return None, ".".join(parts[: number + 1])
        path = spec.submodule_search_locations
        if number < len(parts) - 1 and path is None:
            return None, ".".join(parts[: number + 2])
    return spec, None


def compile_file(path: str) -> Tuple[Any, Optional[Dict[str, Any]]]:
    """Compile a file; return its tree and None, or None and what is wrong."""
    try:
        with open(path, "rb") as file:
            source = file.read(MAXIMUM_SOURCE_BYTES)
    except OSError as error:
        return None, {"problem": "unreadable", "message": str(error.strerror), "file": path, "line": None}
    try:
        tree = ast.parse(source, path)
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", None) or str(error)
        return None, {"problem": "syntax", "message": message, "file": path, "line": line}
    return tree, None


def names_of(tree: Any) -> Optional[Set[str]]:
    """Names that a module binds at its top level; None when that cannot be told (import *, __getattr__, exec)."""
    names: Set[str] = set()
    waiting: List[Any] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.name == "*":
                    return None
                names.add((alias.asname or alias.name).split(".")[0])
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("exec", "globals", "vars", "locals"):
            return None
        waiting.extend(ast.iter_child_nodes(node))
    return None if "__getattr__" in names else names


def check_name(tree: Any, name: str, path: str) -> Dict[str, Any]:
    """Whether a module binds a name."""
    names = names_of(tree)
    first = name.split(".", maxsplit=1)[0]
    if names is None or first in names:
        return {"problem": None}
    near = sorted(item for item in names if not item.startswith("_"))[:200]
    return {"problem": "no-callable", "message": first, "file": path, "line": None, "names": near}


def answer(question: Dict[str, Any]) -> Dict[str, Any]:
    """Look at one application."""
    if question["kind"] == "script":
        tree, problem = compile_file(question["target"])
        return problem or check_name(tree, question["callable_object"], question["target"])
    module, _colon, name = question["target"].partition(":")
    own, active = site_directories(question["prefix"])
    directories = list(own)
    for directory in question["directories"]:
        more, runs = pth_directories(directory)
        directories.extend(more)
        active = active or runs
    path = list(question["directories"]) + directories + [item for item in sys.path if item]
    spec, missing = find_module(module, path)
    if spec is None:
        if active:
            return {"problem": None}  # code in a .pth file may find it
        return {"problem": "no-module", "message": missing, "file": None, "line": None, "names": []}
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        return {"problem": None}
    tree, problem = compile_file(spec.origin)
    if problem:
        return problem
    if spec.submodule_search_locations is not None and name.split(".")[0].strip("()"):
        found = PathFinder.find_spec(module + "." + name.split(".")[0].strip("()"), spec.submodule_search_locations)
        if found is not None:
            return {"problem": None}
    return check_name(tree, name.replace("()", ""), spec.origin)


@functools.lru_cache(maxsize=None)
def listed(directory: str) -> List[str]:
    """What is in a directory, in order."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


@functools.lru_cache(maxsize=None)
def modules_in(directory: str) -> Tuple[str, ...]:
    """Names of modules and packages in a directory."""
    return tuple(item.split(".")[0] for item in listed(directory) if item.endswith(".py") or "." not in item)


def main() -> None:
    """Answer all questions; one that goes wrong is answered with its error."""
    answers = []
    suggested = 0
    for question in json.load(sys.stdin):
        try:
            answers.append(answer(question))
            if answers[-1]["problem"] == "no-module" and suggested < MAXIMUM_SUGGESTED:
                suggested += 1
                near = {name for directory in question["directories"] for name in modules_in(directory)}
                answers[-1]["names"] = sorted(near)[:200]
        except Exception as error:  # noqa: BLE001  (one odd module must not hide what is wrong with the others)
            answers.append({"problem": "unchecked", "message": "%s: %s" % (type(error).__name__, error)})
    json.dump({"version": list(sys.version_info[:3]), "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
