"""Where a Django project has its static files, read out of the text of its settings. Imports nothing of it.

Understood is what `django-admin startproject` writes and what its documentation shows: texts, `Path(__file__)` with its
parents, `/`, `os.path`, and names that were bound to such. What is computed in any other way is not known.
"""

from __future__ import annotations

import ast
import os
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PATH_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "abspath": os.path.abspath,
    "dirname": os.path.dirname,
    "realpath": os.path.abspath,
}
_SAME_PATH = ("resolve", "absolute", "as_posix")  # methods of a path


def static_of(text: str, file: str) -> tuple[str, str] | None:
    """Return the URL prefix and the absolute directory of the static files that settings name, None where they do not.

    text: of the settings; file: their path, absolute. The prefix begins with a / and is not / alone: a STATIC_URL on
    another host is nobody's here, and one that is / would hide the application.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    known: dict[str, str] = {"__file__": file}
    for node in tree.body:
        targets: Sequence[ast.expr] = ()
        if isinstance(node, ast.Assign):
            targets, bound = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, bound = [node.target], node.value
        for target in targets:
            if isinstance(target, ast.Name):
                value = _value(bound, known)
                known.pop(target.id, None)
                if value is not None:
                    known[target.id] = value
    url, root = known.get("STATIC_URL"), known.get("STATIC_ROOT")
    if not url or not root or "//" in url or not os.path.isabs(root):
        return None
    prefix = posixpath.normpath("/" + url.strip("/"))
    return None if prefix == "/" else (prefix, os.path.normpath(root))


def _value(node: ast.expr, known: dict[str, str]) -> str | None:
    """Return a text or a path, as a text; None for what is not understood."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined([_value(node.left, known), _value(node.right, known)])
    if isinstance(node, ast.Attribute) and node.attr == "parent":
        inner = _value(node.value, known)
        return None if inner is None else os.path.dirname(inner)
    if isinstance(node, ast.Call) and not node.keywords:
        return _called(node, [_value(argument, known) for argument in node.args], known)
    return None


def _called(node: ast.Call, arguments: list[str | None], known: dict[str, str]) -> str | None:
    function = node.func
    name = (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
    if isinstance(function, ast.Attribute) and not arguments and name in _SAME_PATH:
        return _value(function.value, known)
    if isinstance(function, ast.Attribute) and name == "joinpath":
        return _joined([_value(function.value, known), *arguments])
    if name in ("Path", "join") and arguments:
        return _joined(arguments)
    if len(arguments) != 1 or arguments[0] is None:
        return None
    if name in _PATH_FUNCTIONS:
        return _PATH_FUNCTIONS[name](arguments[0])
    return arguments[0] if name in ("str", "fspath") else None


def _joined(parts: list[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return os.path.join(*known) if len(known) == len(parts) else None
