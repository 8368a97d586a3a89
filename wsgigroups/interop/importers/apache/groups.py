"""WSGIDaemonProcess to a group. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.config.shape import OPTIONS
from wsgigroups.config.show import literal
from wsgigroups.interop.importers.draft import ForeignSetting
from wsgigroups.interop.importers.values import (
    environment_home,
    is_on,
    leading_number,
    number,
    numbered,
    octal,
    variables_in,
    with_defaults,
)

if TYPE_CHECKING:
    from wsgigroups.interop.importers.apache.syntax import Directive
    from wsgigroups.interop.importers.draft import Draft, Place

_NUMBERS = ("integer", "process-count", "duration", "bytes")
_OF_VERSION_6 = ("switch-interval", "server-metrics", "response-flush-delay", "interrupt-timeout")
_PATHS = ("path", "paths", "log")
PACKAGES = "the environment of these packages is python-home, which gives its interpreter, too"
_UNSET = "{} is not defined in what was read: set it in the environment of wsgigroups, or write its value here"


def put_daemon_process(draft: Draft, place: Place, directive: Directive) -> None:
    """Put every option of a WSGIDaemonProcess line into the group at this place."""
    draft.table(place)
    draft.comments[place] = directive.setting.what
    draft.note(place, directive.setting)
    for word in directive.words[1:]:
        name, equals, value = word.partition("=")
        setting = ForeignSetting(f"WSGIDaemonProcess {word}", directive.file, directive.line)
        if not equals:
            draft.drop(setting, "it has no value")
        else:
            put_option(draft, place, name.strip().lower(), value, setting)


def put_option(draft: Draft, place: Place, name: str, text: str, setting: ForeignSetting) -> None:
    """Put one option of mod_wsgi, by the name that it has there and here."""
    option = OPTIONS.get(name)
    if option is None or (option.extension and name not in _OF_VERSION_6):
        draft.drop(setting, "mod_wsgi has no such option, or nothing here stands for it")
        return
    if name == "python-path":
        put_python_path(draft, place, text.split(":"), setting)
        return
    value, sentence = read_value(option.kind, text)
    if value is None:
        draft.drop(setting, sentence)
    else:
        draft.put(place, name, value, setting, sentence)


def put_python_path(draft: Draft, place: Place, paths: list[str], setting: ForeignSetting) -> None:
    """Put python-path; packages of an environment are its python-home, unless there is one."""
    given = [path.strip() for path in paths]
    sentences = [_UNSET.format(name) for name in variables_in(":".join(given))]
    given = [with_defaults(path) if variables_in(path) else literal(path) for path in given]
    if "python-home" in draft.table(place):
        home, others = "", list(dict.fromkeys(path for path in given if path))
    else:
        home, others = environment_home(given)
    before = list(draft.table(place).get("python-path", ()))
    if others:
        draft.put(place, "python-path", list(dict.fromkeys([*before, *others])), setting, "; ".join(sentences))
    if home:
        draft.put(place, "python-home", home, setting, PACKAGES)


def read_value(kind: str, text: str) -> tuple[Any, str]:
    """Return the value of an option of a kind, and a sentence: why there is none, or how it is not quite the same."""
    if kind in _NUMBERS:
        exact = number(text)
        begun = leading_number(text)
        if exact is not None:
            return exact, ""
        if begun is None:
            return None, f"{text} is no number" if "$" not in text else _UNSET.format(text)
        return begun, f"mod_wsgi reads {text} as {begun}, and so does this"
    if kind in _PATHS:
        named = variables_in(text)
        return (with_defaults(text), _UNSET.format(named[0])) if named else (literal(text.rstrip("/") or "/"), "")
    if "${" in text:
        return None, _UNSET.format(text)
    if kind == "group-names":
        return list(dict.fromkeys(numbered(part.strip()) for part in text.split(",") if part.strip())), ""
    if kind in ("user", "ordinary-user"):
        return numbered(text), ""
    if kind == "umask":
        digits = octal(text)
        return digits, "" if digits else f"{text} is no umask"
    if kind == "boolean":
        return is_on(text), ""
    return (text, "") if text else (None, "it has no value")
