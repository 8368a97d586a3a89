"""Notes: what each request thread was asked last, on its board, where it can be read when the process is dead.

A process that crashes or is killed tells nothing any more. So each request thread writes method and target of a request
before it calls the application, and once which thread it is. Of requests that take long, the monitor writes where in
the application they are, once a second. Read with pread(2) by the manager or the spawner; a tenant can write here what
it likes, so that what is read is short text that nobody trusts.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Tuple

NOTE_BYTES = 256
ASKED_OFFSET = 8
WHERE_OFFSET = 128
TARGET_BYTES = 112
_METHOD_BYTES = 8

# The second is called for each request and costs a tenth of a microsecond. What is long is cut, what is short padded.
write_ident = struct.Struct("<Q").pack_into  # note, offset of the note, ident
write_asked = struct.Struct("8s112s").pack_into  # note, offset of the note + ASKED_OFFSET, method, target
_WHERE = struct.Struct("<Q16s32s72s")
_FILE_BYTES = 72


class ThreadNote(NamedTuple):
    """What is noted of one thread. ident: as _thread.get_ident, 0: not known; asked: "GET /path", or "".

    where: the end of a file's name, line and function, of the request whose busy word is where_since_ns; or None.
    """

    ident: int
    asked: str
    where_since_ns: int = 0
    where: Optional[Tuple[str, int, str]] = None


def write_where(notes: memoryview, offset: int, since_ns: int, file: str, line: int, function: str) -> None:
    """Note where the request with this busy word is; offset: of the thread's note."""
    end = file.encode("utf-8", "replace")
    if len(end) > _FILE_BYTES:
        end = b"..." + end[3 - _FILE_BYTES :]
    name = function.encode("utf-8", "replace")
    _WHERE.pack_into(notes, offset + WHERE_OFFSET, since_ns, b"%d" % line, name, end)


def size_bytes(threads: int) -> int:
    """Bytes of the notes of so many request threads."""
    return threads * NOTE_BYTES


def note_of(raw: bytes) -> ThreadNote:
    """Read one note. The query is no part of what is told, nor is who a target with an authority names."""
    (ident,) = struct.unpack_from("<Q", raw)
    method = _text(raw[ASKED_OFFSET : ASKED_OFFSET + _METHOD_BYTES])
    field = raw[ASKED_OFFSET + _METHOD_BYTES : ASKED_OFFSET + _METHOD_BYTES + TARGET_BYTES]
    target = _text(field)
    path = path_of(target)
    if path == target and len(field.rstrip(b"\0")) == TARGET_BYTES:
        path += "..."
    since_ns, line, function, file = _WHERE.unpack_from(raw, WHERE_OFFSET)
    where = None
    if since_ns and line.partition(b"\0")[0].isdigit():
        where = _text(file), int(line.partition(b"\0")[0]), _text(function)
    return ThreadNote(ident, "%s %s" % (method, path) if method else "", since_ns, where)


def path_of(target: str) -> str:
    """Return a target without query and without an authority (RFC 9112 section 3.2)."""
    path = target.partition("?")[0].partition("#")[0]
    _scheme, separator, rest = path.partition("://")
    if separator and not path.startswith("/"):
        return "/" + rest.partition("/")[2]
    return path


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
