"""Kinds of values: how each is read, refused, written and described in the JSON Schema. Pure.

A kind is a marker in a field's `Annotated` type. Its reader raises `refuse(code, …)`, which carries the code of the
diagnostic; pydantic brings it to the loader together with its place.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from wsgigroups.config import addresses, units
from wsgigroups.config.capacity import MAXIMUM_ITEMS
from wsgigroups.config.diagnostics import Mend

_MOST_PROCESSES = 4096


@dataclass(frozen=True, slots=True)
class Kind:
    """The name of a kind, for schema, reference and printing."""

    name: str


def refuse(
    code: str, message: str, hint: str = "", mend: Mend | None = None, *, named: bool = False
) -> PydanticCustomError:
    """Make the error of a value: braces in the texts are kept. named: the message follows the name of the key."""
    context: dict[str, Any] = {"message": message, "hint": hint, "named": named}
    return PydanticCustomError(code, "{message}", context if mend is None else {**context, "mend": mend})


def as_written(value: Any) -> Mend | None:
    """Numbers and booleans where text is expected: what stands there, in quotes."""
    return Mend() if isinstance(value, (int, float)) else None


_USER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}\$?")
_USER_NUMBER = re.compile(r"#[0-9]{1,10}")
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LOCALE = re.compile(r"[A-Za-z][A-Za-z0-9_.@-]{0,63}")
_ERROR_STATUS = re.compile(r"[45][0-9]{2}")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), "true"),
    **dict.fromkeys(("false", "no", "off", "0"), "false"),
}
_UMASK = re.compile(r"[0-7]{1,4}")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_CALLABLE = re.compile(rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*:{_IDENTIFIER}(?:\.{_IDENTIFIER})*(?:\(\))?")
_SERVER_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_MAXIMUM_ID = 4294967294  # (uid_t) -1 means "unchanged" to the system calls
_MAXIMUM_TEXT = 32768
_MAXIMUM_VARIABLE = 131071  # MAX_ARG_STRLEN of execve(2), less its NUL


def shown(value: Any) -> str:
    """A value as people wrote it, cut to a readable length."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def type_name(value: Any) -> str:
    """What people call the type of a value."""
    if isinstance(value, bool):
        return "a boolean"
    for kind, name in ((int, "an integer"), (float, "a number"), (str, "text"), (list, "a list"), (Mapping, "a table")):
        if isinstance(value, kind):
            return name
    return "nothing" if value is None else "a date or time"


def text_of(value: Any, what: str = "text") -> str:
    if not isinstance(value, str):
        hint = f'write "{shown(value)}"' if isinstance(value, (int, float)) else ""
        raise refuse("WG0301", f"{what} is expected, this is {type_name(value)}", hint, as_written(value))
    if not value:
        raise refuse("WG0318", "the text is empty", "leave the key out to get the default")
    if len(value) > _MAXIMUM_TEXT or (not value.isprintable() and _CONTROL.search(value)):
        raise refuse("WG0318", "the text holds control characters or is longer than 32768 characters")
    return value


def read_text(value: Any) -> str:
    """One line of text."""
    return text_of(value)


def read_duration(value: Any) -> float:
    """Seconds."""
    try:
        return units.parse_duration(value)
    except ValueError as error:
        hint = 'a number of seconds, or "90s", "5m", "1h30m", "250ms"; 0 turns a limit off'
        meant = units.meant_duration(value) if isinstance(value, str) else None
        if meant:
            raise refuse("WG0303", str(error), f'write "{meant}"', Mend(f'"{meant}"')) from None
        raise refuse("WG0303", str(error), hint) from None


def read_bytes(value: Any) -> int:
    """Bytes."""
    try:
        return units.parse_bytes(value)
    except ValueError as error:
        hint = 'a number of bytes, or "512K", "256M", "1GiB" (powers of 1024)'
        meant = units.meant_bytes(value) if isinstance(value, str) else None
        if meant:
            hint = f'write "{meant}" (powers of 1024)'
            raise refuse("WG0304", str(error), hint, Mend(f'"{meant}"', certain=False)) from None
        raise refuse("WG0304", str(error), hint) from None


def read_percent(value: Any) -> int:
    """Whole per cent."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,7}%", value):
        return int(value[:-1])
    if value == 0 and isinstance(value, int) and not isinstance(value, bool):
        return 0
    hint = f'write "{value}%"' if re.fullmatch(r"[0-9]{1,9}", str(value)) else 'for example "50%"; 0 turns it off'
    raise refuse("WG0321", f"{shown(value)} is no percentage", hint)


def write_percent(value: int) -> str | int:
    """As it is read: a bare number would be none."""
    return f"{value}%" if value else 0


def read_part(value: Any) -> int | str:
    """A number of processes, or per cent of all."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_PROCESSES:
        return value
    if isinstance(value, str) and re.fullmatch(r"(?:[0-9]{1,2}|100)%", value):
        return f"{int(value[:-1])}%"
    hint = f'a number from 0 to {_MOST_PROCESSES}, or "25%", up to "100%"'
    raise refuse("WG0322", f"{shown(value)} is no number of processes and no part of them", hint)


def read_integer(value: Any) -> int:
    """A whole number, not text, not a boolean."""
    if isinstance(value, bool) or not isinstance(value, int):
        plain = isinstance(value, str) and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,17})", value, re.ASCII)
        hint, mend = (f"write {value} without quotes", Mend(str(value))) if plain else ("", None)
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            mend = Mend(str(int(value)))
        raise refuse("WG0301", f"a whole number is expected, this is {type_name(value)}", hint, mend)
    return value


def read_boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        hint = "write true or false, without quotes"
        meant = _BOOLEANS.get(value.lower()) if isinstance(value, str) else None
        if meant:
            mend = Mend(meant, certain=value.lower() not in ("1", "0"))
            raise refuse(
                "WG0301",
                f"true or false is expected, this is {type_name(value)}",
                f"write {meant}, without quotes",
                mend,
            )
        raise refuse("WG0301", f"true or false is expected, this is {type_name(value)}", hint)
    return value


def read_reloading(value: Any) -> bool | str:
    """true, false or "wait"."""
    return value if value == "wait" and isinstance(value, str) else read_boolean(value)


def read_path(value: Any) -> str:
    """An absolute path; the loader has already joined relative ones to the directory of their file."""
    path = text_of(value, "a path")
    if not path.startswith("/"):
        raise refuse("WG0307", f"the path {shown(path)} is not absolute", "write it from / on")
    return path


# The manager's own streams, by every name that people use for them; "-" is its stdout. /dev/log is syslog's socket.
_STREAMS = {
    "/dev/log": "/dev/log",
    **dict.fromkeys(("-", "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"), "/dev/stdout"),
    **dict.fromkeys(("/dev/stderr", "/proc/self/fd/2", "/dev/fd/2"), "/dev/stderr"),
}


def read_log(value: Any) -> str:
    """A path, or one of the manager's standard streams as /dev/stdout or /dev/stderr, or syslog as /dev/log."""
    return _STREAMS.get(value) or read_path(value) if isinstance(value, str) else read_path(value)


def is_stream(path: str) -> bool:
    """Whether a log is a standard stream of the manager, or syslog: no file."""
    return path in _STREAMS


def is_user(text: str) -> bool:
    """Whether a text can be the name of a user, or `#` and a number."""
    return bool(_USER_NAME.fullmatch(text) or _USER_NUMBER.fullmatch(text))


def read_user(value: Any) -> str:
    """A user's or group's name, or `#number`."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise refuse("WG0308", f"{value} is a number, a name or text with # is expected", f'write "#{value}"')
    name = text_of(value, "a name")
    if name.isascii() and name.isdigit():
        raise refuse("WG0308", f'"{name}" is neither a name nor marked as a number', f'a number is written "#{name}"')
    if name.startswith("#"):
        if not _USER_NUMBER.fullmatch(name) or int(name[1:]) > _MAXIMUM_ID:
            raise refuse("WG0308", f'"{name}" is no number of a user or group', "numbers go from #1 to #4294967294")
    elif not _USER_NAME.fullmatch(name):
        raise refuse("WG0308", f"{shown(name)} cannot be the name of a user or group", 'a name, or "#1000"')
    return name


def read_ordinary_user(value: Any) -> str:
    """Like `read_user`, but never root: the documentation of WSGIDaemonProcess refuses it, and so do we."""
    if (isinstance(value, int) and value == 0) or (
        isinstance(value, str) and re.fullmatch(r"#?0+|root", value.strip())
    ):
        raise refuse(
            "WG0309", f"{shown(value)} is root", "applications never run as root: name an ordinary user or group"
        )
    return read_user(value)


def read_umask(value: Any) -> str:
    """Octal digits in quotes."""
    if isinstance(value, int) and not isinstance(value, bool):
        # whether the digits that stand there are octal is for whoever wrote them to say
        raise refuse(
            "WG0310",
            "a umask must be quoted: without quotes it is a number, and not octal in every format",
            'write the octal digits in quotes: "0027"',
            Mend(certain=False) if _UMASK.fullmatch(str(value)) else None,
        )
    text = text_of(value, "a umask")
    if not _UMASK.fullmatch(text) or int(text, 8) > 0o777:
        raise refuse("WG0310", f"{shown(text)} is no umask", 'three or four octal digits in quotes: "0027"')
    return text


def read_locale(value: Any) -> str:
    """The name of a locale."""
    name = text_of(value, "a locale's name")
    if not _LOCALE.fullmatch(name):
        raise refuse("WG0313", f"{shown(name)} is no locale's name", 'for example "en_US.UTF-8" or "C.UTF-8"')
    return name


def read_callable(value: Any) -> str:
    """`package.module:callable`, or `package.module:factory()`."""
    text = text_of(value, "a callable")
    if not _CALLABLE.fullmatch(text):
        hint = "write package.module:callable, or package.module:factory() to call a factory"
        if ":" not in text and re.fullmatch(rf"{_IDENTIFIER}(\.{_IDENTIFIER})*", text):
            hint = f'did you mean "{text}:application"?'
        elif text.endswith((".wsgi", ".py")) or "/" in text:
            hint = f'for a file write script = "{text}"'
        raise refuse("WG0311", f"{shown(text)} does not name a callable", hint)
    return text


def read_identifier(value: Any) -> str:
    """The name of a variable in a script."""
    text = text_of(value, "a name")
    if not re.fullmatch(_IDENTIFIER, text):
        raise refuse("WG0311", f"{shown(text)} is no name of a Python variable", 'for example "application"')
    return text


def read_host_name(value: Any) -> str:
    """One host name."""
    name = text_of(value, "a host name").lower()
    if not is_host_name(name):
        raise refuse("WG0208", f"{shown(value)} is no host name", 'for example "www.example.org"')
    return name


def is_host_name(name: str) -> bool:
    """Whether a text can be the name of a host (RFC 1123 section 2.1)."""
    return len(name) <= 253 and bool(_SERVER_NAME.fullmatch(name)) and all(len(x) <= 63 for x in name.split("."))


def read_url_path(value: Any) -> str:
    """A URL prefix that begins with `/`; a final `/` is dropped, except for `/` itself."""
    path = text_of(value, "a URL path")
    if not path.startswith("/") or "//" in path or any(part in (".", "..") for part in path.split("/")):
        raise refuse("WG0307", f"{shown(path)} is no URL path", 'it begins with / and has no empty, "." or ".." part')
    return path.rstrip("/") or "/"


def read_address(value: Any) -> str:
    """An address in canonical form."""
    text = text_of(value, "an address")
    try:
        return str(addresses.parse(text))
    except ValueError as error:
        code = "WG0315" if "socket path has" in str(error) else "WG0306"
        hint = 'for example "127.0.0.1:8000", "[::1]:8000" or "unix:/run/blog.sock"'
        raise refuse(code, str(error), hint) from None


def read_network(value: Any) -> str:
    """A network in CIDR notation, or `unix` for peers on UNIX sockets."""
    text = text_of(value, "a network")
    try:
        return text if text == "unix" else str(ipaddress.ip_network(text))
    except ValueError:
        near = _network_without_host_bits(text)
        hint = f'did you mean "{near}"?' if near else 'for example "127.0.0.1/32", "10.0.0.0/8" or "unix"'
        raise refuse("WG0314", f"{shown(text)} is no network", hint) from None


def read_variable_name(value: Any) -> str:
    """The name of an environment variable."""
    if not isinstance(value, str) or not _ENVIRONMENT_NAME.fullmatch(value):
        raise refuse("WG0312", f"{shown(value)} is no name of a variable", "letters, digits and _, no digit first")
    return value


def read_variable_value(value: Any) -> str:
    """The value of an environment variable; it may be empty and have several lines."""
    if not isinstance(value, str):
        hint, mend = "", None  # without the value, which may be a secret
        if value is None:
            hint = 'write "" for an empty variable, or leave it out'
        elif isinstance(value, bool):
            hint, mend = f'write "{shown(value)}"', Mend()
        elif isinstance(value, (int, float)):
            hint, mend = "put quotation marks around it, as it stands there", Mend(covered=True)
        what = "has no value" if value is None else f"must be text, and is {type_name(value)}"
        raise refuse("WG0312", what, hint, mend, named=True)
    if "\0" in value or len(value) > _MAXIMUM_VARIABLE or _has_surrogates(value):
        raise refuse("WG0312", "holds a NUL character or is longer than 131071 characters", named=True)
    return value


def read_host_pattern(value: Any) -> str:
    """A host name whose first label may be `*`."""
    name = text_of(value, "a host name").lower()
    if not is_host_name(name.removeprefix("*.")):
        raise refuse("WG0208", f"{shown(value)} is no host name", 'for example "example.org" or "*.example.org"')
    return name


def listed(what: str, separator: str | None = None) -> BeforeValidator:
    """Make the reader of a list that may also be one text with separators, where there is a separator."""

    def read(value: Any) -> Any:
        if isinstance(value, str) and separator:
            items = [part.strip() for part in value.split(separator)]
            if not all(items):
                raise refuse("WG0318", f"there is an empty item in {shown(value)}", f"take one '{separator}' out")
            return _bounded(items, "the list has", "items")
        if not isinstance(value, (list, tuple)):
            mend = Mend(json.dumps([value], ensure_ascii=False)) if isinstance(value, str) else None
            hint = f"write {mend.text}" if mend else ""
            raise refuse("WG0301", f"a list of {what} is expected, this is {type_name(value)}", hint, mend)
        return _bounded(value, "the list has", "items")

    return BeforeValidator(read)


def read_table(value: Any) -> Any:
    """A table of variables."""
    if not isinstance(value, Mapping):
        raise refuse("WG0301", f"a table of variables is expected, this is {type_name(value)}", '{ NAME = "value" }')
    return _bounded(value, "there are", "variables")


def read_pages(value: Any) -> Any:
    """A table of files by status; in YAML and TOML the status may be a number or text."""
    if not isinstance(value, Mapping):
        raise refuse("WG0301", f"a table of files is expected, this is {type_name(value)}", '{ 502 = "502.html" }')
    return {str(key): item for key, item in _bounded(value, "there are", "pages").items()}


def read_status(value: Any) -> str:
    """The status of an answer that is an error (RFC 9110 section 15)."""
    if not isinstance(value, str) or not _ERROR_STATUS.fullmatch(value):
        raise refuse("WG0302", f"{shown(value)} is no status of an error", "those go from 400 to 599")
    return value


def read_file_name(value: Any) -> str:
    """The name of a file, without a directory."""
    name = text_of(value, "a file's name")
    if "/" in name or name.startswith("."):
        raise refuse("WG0307", f"{shown(name)} is no plain name of a file", 'for example "index.html"')
    return name


def _bounded(value: Any, what: str, unit: str) -> Any:
    """Refuse what would lead to thousands of messages for one key."""
    if len(value) > MAXIMUM_ITEMS:
        raise refuse("WG0302", f"{what} {len(value)} {unit}, at most {MAXIMUM_ITEMS} are possible")
    return value


def distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse an item that stands there twice."""
    seen = set()
    for item in items:
        if item in seen:
            raise refuse("WG0319", f"{shown(item)} stands in the list more than once", "take one out")
        seen.add(item)
    return items


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _network_without_host_bits(text: str) -> str | None:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None


_Path = Annotated[str, BeforeValidator(read_path)]
_GroupName = Annotated[str, BeforeValidator(read_ordinary_user)]
_Address = Annotated[str, BeforeValidator(read_address)]
_Network = Annotated[str, BeforeValidator(read_network)]
_HostPattern = Annotated[str, BeforeValidator(read_host_pattern)]
_VariableName = Annotated[str, BeforeValidator(read_variable_name)]
_VariableValue = Annotated[str, BeforeValidator(read_variable_value)]
_Status = Annotated[str, BeforeValidator(read_status)]

Text = Annotated[str, BeforeValidator(read_text), Kind("text")]
Duration = Annotated[float, BeforeValidator(read_duration), Kind("duration")]
Bytes = Annotated[int, BeforeValidator(read_bytes), Kind("bytes")]
Percent = Annotated[
    int, BeforeValidator(read_percent), PlainSerializer(write_percent, when_used="json"), Kind("percent")
]
Part = Annotated[int | str, BeforeValidator(read_part), Kind("part")]
Integer = Annotated[int, BeforeValidator(read_integer), Kind("integer")]
Boolean = Annotated[bool, BeforeValidator(read_boolean), Kind("boolean")]
Reloading = Annotated[bool | Literal["wait"], BeforeValidator(read_reloading), Kind("reloading")]
AnyPath = Annotated[str, BeforeValidator(read_path), Kind("path")]
LogPath = Annotated[str, BeforeValidator(read_log), Kind("log")]
Paths = Annotated[tuple[_Path, ...], listed("paths", ":"), AfterValidator(distinct), Kind("paths")]
User = Annotated[str, BeforeValidator(read_user), Kind("user")]
OrdinaryUser = Annotated[str, BeforeValidator(read_ordinary_user), Kind("ordinary-user")]
GroupNames = Annotated[tuple[_GroupName, ...], listed("names", ","), AfterValidator(distinct), Kind("group-names")]
Umask = Annotated[str, BeforeValidator(read_umask), Kind("umask")]
Locale = Annotated[str, BeforeValidator(read_locale), Kind("locale")]
Callable = Annotated[str, BeforeValidator(read_callable), Kind("callable")]
Identifier = Annotated[str, BeforeValidator(read_identifier), Kind("identifier")]
Addresses = Annotated[tuple[_Address, ...], listed("addresses"), AfterValidator(distinct), Kind("addresses")]
SingleAddress = Annotated[str, BeforeValidator(read_address), Kind("address")]
Networks = Annotated[tuple[_Network, ...], listed("networks"), AfterValidator(distinct), Kind("networks")]
Environment = Annotated[dict[_VariableName, _VariableValue], BeforeValidator(read_table), Kind("environment")]
HostName = Annotated[str, BeforeValidator(read_host_name), Kind("host-name")]
HostNames = Annotated[tuple[_HostPattern, ...], listed("host names"), AfterValidator(distinct), Kind("host-names")]
PageFiles = Annotated[dict[_Status, _Path], BeforeValidator(read_pages), Kind("page-files")]
FileName = Annotated[str, BeforeValidator(read_file_name), Kind("file-name")]
UrlPath = Annotated[str, BeforeValidator(read_url_path), Kind("url-path")]
