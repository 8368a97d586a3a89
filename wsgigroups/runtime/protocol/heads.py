"""A complete head to an environ and its framing: every rule that decides what a request is begins here.

Sans-I/O; called by whichever thread owns the connection. There are three ways to one verdict. `plainly` takes a head
that is as heads usually are, strictly by the grammar, in as few steps as Python needs for it, and leaves every other
one to `exactly`, which goes line by line, finds the first thing that is wrong, and also takes what is right but rare: a
target with an authority, a field that comes twice. The accelerator, where there is one, takes a part of what `plainly`
takes, and refuses nothing (docs/decisions/accelerator.md). Refused is whatever two readers of one stream could
understand differently (RFC 9112 sections 2.2, 5.1, 5.2), even where a recipient may be lenient.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from .. import accelerator
from .errors import ProtocolError
from .framing import frame, join
from .limits import Limits
from .names import TRUSTED, UNTRUSTED, Keys, is_token
from .scanner import CONTROLS, Scanner
from .targets import decode_path, split_target

Environ = Dict[str, Any]

METHOD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # a token (RFC 9110 sections 5.6.2 and 9.1): whichever it is
_REQUEST_LINE = re.compile("(" + METHOD + r") (/[!-\"$-~]*) HTTP/1\.([0-9])")
_ANY_REQUEST_LINE = re.compile("(" + METHOD + r") ([!-~]+) HTTP/([0-9])\.([0-9])")
NEVER_SERVED = frozenset(("CONNECT", "PRI"))  # RFC 9110 section 9.3.6, RFC 9113 section 3.4


class Head:
    """One request as far as its head tells. What most heads leave as it is belongs to the class."""

    length = 0  # bytes of the body; 0 for none and for a chunked one
    chunked = False
    expects = False  # the client waits for 100 (Continue) before it sends the body
    ordinary = False  # HTTP/1.1, kept open, not HEAD: an answer needs nothing but a length
    lane_key = ""  # made by the lanes when they need it
    data: Optional[Dict[Any, Any]] = None  # the application's, for this request; made when it first asks
    name = ""  # of the request: its id (request_ids)
    slow = False  # it was told that it takes longer than slow-request

    def __init__(self, method: str, target: str, environ: Environ, is_http_1_1: bool) -> None:
        self.method = method
        self.target = target
        self.environ = environ  # the application's from the call on: it may change what it likes
        self.is_http_1_1 = is_http_1_1
        self.keep_alive = is_http_1_1


NO_ENVIRON: Environ = {}  # of a head whose request has been answered: what the application put there is let go


def readers(extension: Any) -> Tuple[Any, Any]:
    """Make the accelerator's readers, of a stranger's heads and of a trusted proxy's."""
    return extension.Reader(Head, UNTRUSTED.of), extension.Reader(Head, TRUSTED.of)


READERS: Optional[Tuple[Any, Any]] = None if accelerator.IN_USE is None else readers(accelerator.IN_USE)


def parse(head: bytes, base: Environ, keys: Keys, limits: Limits) -> Head:
    """Turn a head, up to and with its empty line, into a Head whose environ is `base` and what the head adds.

    Raises ProtocolError with the status to answer. base: everything that does not change within a connection.
    """
    if READERS is not None:
        found: Optional[Head] = READERS[keys.trusted](head, base, limits.short_bytes, limits.fields)
        if found is not None:
            return found
    return plainly(head, base, keys, limits)


def plainly(head: bytes, base: Environ, keys: Keys, limits: Limits) -> Head:
    """As `parse`, without an accelerator."""
    lines = head.decode("latin-1").split("\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    size = len(head)
    if (
        match is None
        or size - len(head.translate(None, CONTROLS)) != 2 * len(lines) - 2  # a control, or a CR or LF on its own
        or (size > limits.short_bytes and not limits.hold(lines, size))
        or len(lines) > limits.fields + 3
    ):
        return exactly(head, base, keys, limits)
    method, target, minor = match.groups()
    if method in NEVER_SERVED:
        return exactly(head, base, keys, limits)
    environ = base.copy()
    path, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = method
    environ["REQUEST_URI"] = target
    environ["PATH_INFO"] = decode_path(path) if "%" in path else path
    environ["QUERY_STRING"] = query
    is_http_1_1 = minor != "0"
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if is_http_1_1 else "HTTP/1.0"
    del lines[-2:]  # of the empty line
    del lines[0]
    expected = len(environ) + len(lines)
    find = keys.table.get
    for line in lines:
        name, colon, value = line.partition(":")
        key = find(name)
        if key and colon:
            environ[key] = value.strip(" \t")
        elif colon and is_token(name):
            key = keys.of(name)
            if key:
                environ[key] = value.strip(" \t")
            else:
                expected -= 1
        else:
            return exactly(head, base, keys, limits)
    if len(environ) != expected:  # a field came twice
        return exactly(head, base, keys, limits)
    result = Head(method, target, environ, is_http_1_1)
    frame(result)
    return result


def exactly(head: bytes, base: Environ, keys: Keys, limits: Limits) -> Head:
    """As `plainly`, which takes a head to the same in fewer steps, or brings it here."""
    Scanner(limits).feed(head)
    if b"\r\n " in head or b"\r\n\t" in head:
        raise ProtocolError(400, "a header field is folded over two lines")
    lines = head[:-4].decode("latin-1").split("\r\n")
    match = _ANY_REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise ProtocolError(400, "the request line is malformed")
    method, target, major, minor = match.groups()
    if major != "1":
        raise ProtocolError(505, "only HTTP/1 is spoken here")
    if method == "PRI":
        raise ProtocolError(501, "PRI begins a connection of HTTP/2, and is no method")
    path, query, authority = split_target(method, target)
    environ = base.copy()
    result = Head(method, target, environ, minor != "0")  # RFC 9110 section 2.5: a later minor version is served as 1.1
    environ["REQUEST_METHOD"] = method
    environ["REQUEST_URI"] = target
    environ["PATH_INFO"] = decode_path(path)
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if result.is_http_1_1 else "HTTP/1.0"
    _fill(environ, lines[1:], keys)
    frame(result, authority)
    if path == "*":
        keep = result.keep_alive and result.is_http_1_1 and not result.length and not result.chunked
        raise ProtocolError(200, "OPTIONS * asks the server, not an application", keep)
    return result


def _fill(environ: Environ, lines: List[str], keys: Keys) -> None:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError(400, "a field line has no colon")
        key = keys.of(name)
        if key:
            value = value.strip(" \t")
            environ[key] = join(key, environ[key], value) if key in environ else value
