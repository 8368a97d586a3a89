"""What a client knows of a file already, and which part of it that client wants (RFC 9110 sections 13 and 14).

Pure; any thread. A field that is malformed is ignored where the answer is whole without it, and stands for a condition
that does not hold where it guards something.
"""

from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from . import http_dates

WHOLE: Tuple[int, int] = (0, -1)  # all of it
UNSATISFIABLE: Tuple[int, int] = (-1, -1)
_TAG = re.compile(r'[ \t,]*((?:W/)?"[!#-~\x80-\xff]*")[ \t]*(?=,|$)')
_RANGE = re.compile(r"[ \t,]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t,]*")
_DIGITS = 18  # of a position; what has more is behind every file's end


def status(environ: Mapping[str, str], etag: str, modified_s: int) -> int:
    """Return 304 or 412 if a condition of a GET or HEAD decides so, else 0 (RFC 9110 section 13.2.2).

    etag: of what would be sent, strong; modified_s: its Last-Modified, in seconds since the epoch.
    """
    wanted = environ.get("HTTP_IF_MATCH")
    if wanted is not None:
        if wanted != "*" and etag not in (_tags(wanted) or ()):
            return 412
    else:
        unmodified_s = _date(environ, "HTTP_IF_UNMODIFIED_SINCE")
        if unmodified_s is not None and modified_s > unmodified_s:
            return 412
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known is not None:
        if known == "*":
            return 304
        return 304 if etag in [tag[2:] if tag.startswith("W/") else tag for tag in _tags(known) or ()] else 0
    since_s = _date(environ, "HTTP_IF_MODIFIED_SINCE")
    return 304 if since_s is not None and modified_s <= since_s else 0


def part(environ: Mapping[str, str], etag: str, modified_s: int, size: int) -> Tuple[int, int]:
    """Return the first and last position that a GET wants, else WHOLE or UNSATISFIABLE.

    Several ranges are answered with the whole file, as RFC 9110 section 14.2 allows: what asks for them has to
    understand that, and no client can have one file sent many times over.
    """
    wanted = environ.get("HTTP_RANGE")
    if wanted is None:
        return WHOLE
    guard = environ.get("HTTP_IF_RANGE")
    if guard is not None and guard != etag and http_dates.read(guard) != modified_s:
        return WHOLE
    unit, _, text = wanted.partition("=")
    match = _RANGE.fullmatch(text)
    if unit.lower() != "bytes" or match is None:
        return WHOLE
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(_number(suffix), size)
        if length:
            return size - length, size - 1
        return UNSATISFIABLE if not _number(suffix) else WHOLE  # of an empty file, everything
    begin = _number(first)
    end = _number(last) if last else size - 1
    if last and end < begin:
        return WHOLE  # invalid, so it is ignored (section 14.1.1)
    return (begin, min(end, size - 1)) if begin < size else UNSATISFIABLE


def _tags(value: str) -> Optional[List[str]]:
    """Return the entity tags of a list, None if it is malformed."""
    found: List[str] = []
    position, end = 0, len(value.rstrip(" \t,"))
    while position < end:
        match = _TAG.match(value, position)
        if match is None:
            return None
        found.append(match.group(1))
        position = match.end()
    return found


def _date(environ: Mapping[str, str], key: str) -> Optional[int]:
    value = environ.get(key)
    return None if value is None else http_dates.read(value)


def _number(text: str) -> int:
    text = text.lstrip("0")
    return int(text or "0") if len(text) <= _DIGITS else 10**_DIGITS
