"""Finds the WSGI callable that a configuration names: package.module:attribute.attribute or …:factory("literal").

Runs in the daemon's main thread, or with load = "lazy" in a request thread. Nothing is evaluated but attribute names
and literals.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from typing import Any, Callable, Dict, List, Optional, Tuple

from .failure import StepError, described, traceback_of

Application = Callable[..., Any]
Environ = Dict[str, Any]
StartResponse = Callable[..., Any]
_STEP = "import"
_DEFAULT = "application"
_SHOWN = 12  # names listed in a message


class Attribute:
    """`names` to follow from a module; with `call` the last one is a factory, called with these literals."""

    def __init__(
        self,
        names: List[str],
        call: bool,
        arguments: Optional[List[Any]] = None,
        keywords: Optional[Dict[str, Any]] = None,
    ) -> None:
        self.names = names
        self.call = call
        self.arguments = arguments or []
        self.keywords = keywords or {}


def parse_attribute(text: str) -> Attribute:
    """Read "a.b" or "a.b(literal, key=literal)". Raises StepError("import")."""
    refusal = (
        "cannot read %r: a name such as application, or a call with literals such as create_app(), is needed" % text
    )
    try:
        node: Any = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call):
            return Attribute(_names(node), call=False)
        arguments = [ast.literal_eval(item) for item in node.args]
        keywords = {str(item.arg): ast.literal_eval(item.value) for item in node.keywords if item.arg is not None}
        if len(keywords) != len(node.keywords):
            raise ValueError("**")  # noqa: TRY301 - one refusal for everything that is not a name or a plain call
        return Attribute(_names(node.func), call=True, arguments=arguments, keywords=keywords)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise StepError(_STEP, refusal) from None


def _names(node: ast.AST) -> List[str]:
    names: List[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise ValueError("not a name")  # noqa: TRY004 - one kind of refusal for the caller
    return [*names, node.id][::-1]


def split(target: str) -> Tuple[str, Attribute]:
    """Split "module:attribute"; without a colon the attribute is `application`. Raises StepError."""
    module, _colon, attribute = target.partition(":")
    return module.strip(), parse_attribute(attribute or _DEFAULT)


def load_callable(target: str) -> Application:
    """Import the module and find the callable. Raises StepError("import") with the application's traceback."""
    name, attribute = split(target)
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # SystemExit and KeyboardInterrupt of an application are failures of it, not ours
        raise failed_in("import", name, error) from error
    return find(module, attribute, name)


def find(module: Any, attribute: Attribute, where: str) -> Application:
    """Follow the names, call a factory. Raises StepError("import")."""
    found = module
    for name in attribute.names:
        try:
            found = getattr(found, name)
        except AttributeError:
            raise StepError(_STEP, _missing(found, name, where)) from None
        except BaseException as error:  # a module's __getattr__ may do anything
            raise failed_in("look for %r in" % name, where, error) from error
    path = ".".join(attribute.names)
    if attribute.call:
        if not callable(found):
            raise StepError(_STEP, "cannot call %s of %s: it is a %s" % (path, where, type(found).__name__))
        try:
            found = found(*attribute.arguments, **attribute.keywords)
        except BaseException as error:
            raise failed_in("call %s of" % path, where, error) from error
        path += "()"
    if not callable(found):
        raise StepError(
            _STEP, "cannot serve %s of %s: it is a %s, not a callable" % (path, where, type(found).__name__)
        )
    application: Application = found
    return application


def failed_in(doing: str, where: str, error: BaseException) -> StepError:
    """Return the failure for an error that the application's own code raised."""
    if isinstance(error, SystemExit):
        return StepError(_STEP, "cannot %s %s: it called exit(%r)" % (doing, where, error.code), traceback_of(error))
    return StepError(_STEP, "cannot %s %s: %s" % (doing, where, described(error)), traceback_of(error))


def _missing(found: Any, name: str, where: str) -> str:
    try:
        public = sorted(item for item in dir(found) if not item.startswith("_"))
    except Exception:  # noqa: BLE001 - a module's __dir__ may do anything too
        public = []
    file = getattr(found, "__file__", None)
    if isinstance(file, str) and not file.endswith(where):  # of two modules of this name the other was found first
        where = "%s (%s)" % (where, file)
    message = "cannot find %r in %s" % (name, where)
    shown = ", ".join(public[:_SHOWN]) + (", ..." if len(public) > _SHOWN else "")
    message += ": it has %s" % shown if public else ": it has no public names"
    near = difflib.get_close_matches(name, public, 1, 0.5)
    return message + (". Did you mean %r?" % near[0] if near else "")
