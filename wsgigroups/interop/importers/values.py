"""Values as other programs write them: numbers, addresses, host names, variables. Pure."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from typing import TYPE_CHECKING

from wsgigroups.config.kinds import is_host_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPEN_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[^}]*))?\}|(?P<bare>[A-Za-z_]\w*))")
_PACKAGES = re.compile(r"(?P<home>/.+)/lib(?:64)?/(?:python|pypy)[0-9.]+/(?:site|dist)-packages/?")
_SYSTEM_HOMES = ("/usr", "/usr/local")
SINGLE_FILE = "a single file: put it into a static directory, or let the application send it"
_ENDINGS = frozenset({".css", ".gif", ".html", ".ico", ".jpg", ".js", ".json", ".pdf", ".png", ".svg", ".txt", ".xml"})
_HOSTS = {**dict.fromkeys(("", "0", "*", "_default_"), "0.0.0.0"), "localhost": "127.0.0.1"}  # noqa: S104
SIZE = re.compile(r"\s*(\d+)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)


def number(text: object) -> int | None:
    """A whole number; None for what is none."""
    if isinstance(text, bool):
        return None
    if isinstance(text, (int, float)):
        return int(text)
    text = str(text).strip()
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else None


def leading_number(text: str) -> int | None:
    """The number that a text begins with, as C's atoi reads it; None where there is none."""
    found = re.match(r"\s*-?\d{1,18}", text)
    return int(found[0]) if found else None


def is_on(text: object) -> bool:
    """Whether a switch of any of these programs is on."""
    return str(text).strip().lower() in ("1", "true", "on", "yes", "t", "y")


def variables_in(text: str) -> list[str]:
    """The names of shell variables that are left in a text."""
    return list(dict.fromkeys(found["braced"] or found["bare"] for found in _OPEN_VARIABLE.finditer(text)))


def with_defaults(text: str, default: str | None = None) -> str:
    """A text whose shell variables are variables of ours, each with a default, so that the file can be read at once."""

    def write(found: re.Match[str]) -> str:
        name = found["braced"] or found["bare"]
        otherwise = default if default is not None else f"/{name}"
        return f"${{{name}:-{found['default'] or otherwise}}}"

    return _OPEN_VARIABLE.sub(write, text)


def resolved(text: str) -> str:
    """A text with the defaults of its variables in their place: `${WORKERS:-4}` is 4. Others stay."""
    return _OPEN_VARIABLE.sub(lambda found: found["default"] if found["default"] is not None else found[0], text)


def address(text: str, default_port: int = 8000) -> str | None:
    """An address as it is written here; None for what cannot be one. A name of a host is not looked up: None."""
    text = text.strip()
    for scheme in ("http://", "tcp://", "uwsgi://", "https://"):
        text = text.removeprefix(scheme)
    if text.startswith(("unix:", "/")):
        path = "/" + text.removeprefix("unix:").lstrip("/")
        return None if len(path) < 2 else f"unix:{path}"
    host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not host and not _ and text.isdigit():
        host, port = "", text  # a port alone
    elif (not host and not _) or (text.count(":") > 1 and "[" not in text):
        host, port = text, ""
    host = host.strip("[]")
    host = _HOSTS.get(host, host)
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    wanted = port or str(default_port)
    if "$" in wanted:
        wanted = with_defaults(wanted, str(default_port))
    elif not wanted.isdigit():
        return None
    return f"[{ip}]:{wanted}" if ip.version == 6 else f"{ip}:{wanted}"


def joined(directory: str, text: str) -> str:
    """A path that is relative to a directory; one with variables has defaults in their places."""
    if variables_in(text):
        text = with_defaults(text)
        return text if text.startswith(("$", "/")) else f"{directory.rstrip('/')}/{text}"
    return posixpath.normpath(posixpath.join(directory, text))


def host_name(text: str) -> str | None:
    """The name of a host in a URL or by itself, in lower case; None for what cannot be one."""
    text = re.sub(r"^[a-z]+://", "", text.strip().lower()).split("/")[0]
    name = text.rsplit(":", 1)[0] if re.search(r":\d*$", text) else text
    name = name.rstrip(".")
    return name if name and is_host_name(name.removeprefix("*.")) else None


def size_in_bytes(text: object, unit: int = 1) -> int | None:
    """A size: a number of units, or text with K, M, G or T."""
    found = SIZE.fullmatch(str(text))
    if not found:
        return None
    letter = found[2].upper()
    return int(found[1]) * (1024 ** "KMGT".index(letter) * 1024 if letter else unit)


def numbered(text: str) -> str:
    """A user or group: numbers have a # here."""
    return f"#{text}" if text.isascii() and text.isdigit() else text


def octal(text: object) -> str | None:
    """A umask as it is written here: three or four octal digits; None for what is none."""
    digits = re.sub(r"^0o", "", str(text).strip())
    return digits.zfill(4)[-4:] if re.fullmatch(r"[0-7]{1,4}", digits) else None


def url_path(text: str) -> str | None:
    """A URL prefix as it is written here; None for what is none."""
    path = re.sub(r"/{2,}", "/", text)
    if not path.startswith("/") or any(part in (".", "..") for part in path.split("/")):
        return None
    return path.rstrip("/") or "/"


def is_single_file(url: str, target: str) -> bool:
    """Whether a path of URLs is mapped to one file, by its name: directories may have dots in theirs."""
    ending = posixpath.splitext(posixpath.basename(target))[1].lower()
    return bool(ending) and (ending in _ENDINGS or ending == posixpath.splitext(url)[1].lower())


def environment_home(paths: Iterable[str]) -> tuple[str, list[str]]:
    """The Python environment whose packages are among the paths, "" for none; and the other paths, each once."""
    home, others = "", []
    for path in paths:
        found = _PACKAGES.fullmatch(posixpath.normpath(path)) if path else None
        if found and found["home"] not in _SYSTEM_HOMES and home in ("", found["home"]):
            home = found["home"]
        elif path and path not in others:
            others.append(path)
    return home, others
