"""A group as a WSGIDaemonProcess line, and what Apache keeps in virtual hosts. Pure.

Options and their forms: https://modwsgi.readthedocs.io/en/master/configuration-directives/WSGIDaemonProcess.html.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wsgigroups.config.shape import OPTIONS
from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.renderers.apache.writing import line, option, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.interop.renderers.apache.writing import WrittenOptions
    from wsgigroups.interop.renderers.unsaid import Unsaid

# options of a group that are no options of mod_wsgi 4.5, and have the same name in a later release
_LATER = ("switch-interval", "server-metrics", "response-flush-delay", "interrupt-timeout")
_OF_FRACTIONS = ("switch-interval", "response-flush-delay")
_ENVIRON = "SetEnv is for environ alone; what asks os.environ has to be set in the script"
_FACTORY = "mod_wsgi calls no factory: write a script with `application = factory()`, and script = here"
_NO_FILE = "mod_wsgi loads files: name one with script =, or say with home where the module is"


def daemon_process(name: str, options: WrittenOptions, unsaid: Unsaid) -> str:
    """Return the line of a group. What it cannot say stays in options, or is added to `unsaid`."""
    words = ["WSGIDaemonProcess", word(name)]
    for key, about in OPTIONS.items():
        if key not in options.table or (about.extension and key not in _LATER):
            continue
        value = options.take(key)
        text = _text(key, about.kind, value)
        if text is None:
            unsaid.add(f"{options.place}.{key} = {value}", "mod_wsgi takes a number, and 0 for none")
        elif text:
            words.append(option(key, text))
    return " ".join(words)


def _text(name: str, kind: str, value: Any) -> str | None:
    """A value as mod_wsgi reads it, "" for none, None where it has no such value."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    if kind == "duration":
        seconds = float(value)
        return f"{seconds:g}" if name in _OF_FRACTIONS else str(math.ceil(seconds))
    if isinstance(value, (list, tuple)):
        return (":" if kind == "paths" else ",").join(map(str, value))
    if kind in ("integer", "process-count", "bytes"):
        return str(int(value)) if isinstance(value, (int, float)) else None
    return str(value)


def script_of(place: str, table: Mapping[str, Any], group: Mapping[str, Any]) -> tuple[str, str]:
    """Return the file of an application and the name of its callable. Raises WsgigroupsError where it has none.

    mod_wsgi loads no modules: the file of one is expected below the first directory of python-path, or else home.
    """
    if "script" in table:
        return str(table["script"]), str(table.get("callable-object", "application"))
    app = str(table.get("app", ""))
    if app.endswith(")"):
        raise WsgigroupsError(f"cannot render {place}: {app} is a factory", hint=_FACTORY)
    module, _, name = app.partition(":")
    directory = next(iter(group.get("python-path") or ()), group.get("home"))
    if not module or not directory:
        raise WsgigroupsError(f"cannot render {place}: it is not known which file {app or 'it'} is", hint=_NO_FILE)
    return f"{str(directory).rstrip('/')}/{module.replace('.', '/')}.py", name or "application"


def host_lines(groups: list[WrittenOptions], unsaid: Unsaid) -> list[str]:
    """What virtual hosts say for the groups behind them: limits, bodies, scripts, variables. One value for all."""
    lines = []
    for key, name in (
        ("limit-request-line", "LimitRequestLine"),
        ("limit-request-field-size", "LimitRequestFieldSize"),
        ("limit-request-fields", "LimitRequestFields"),
        ("limit-request-body", "LimitRequestBody"),
    ):
        value = _shared(groups, key, unsaid)
        if value is not None:
            lines.append(line(name, int(value)))
    if _shared(groups, "chunked-bodies", unsaid) == "stream":
        lines.append("WSGIChunkedRequest On")
    reloading = _shared(groups, "script-reloading", unsaid)
    if not reloading:
        lines.append("WSGIScriptReloading Off")
    variables = _shared(groups, "environment", unsaid) or {}
    if variables:
        unsaid.add(f"{groups[0].place}.environment", _ENVIRON)
    lines += [line("SetEnv", name, value) for name, value in variables.items()]
    return lines


def _shared(groups: list[WrittenOptions], key: str, unsaid: Unsaid) -> Any:
    """The value that all groups of a virtual host have; otherwise that of the first, and the others are noted."""
    values = [group.written.get(key) for group in groups]
    for group, value in zip(groups, values, strict=True):
        if value is not None and value != values[0]:
            unsaid.add(f"{group.place}.{key}", "a virtual host has one value for all of its groups")
    return values[0] if values else None
