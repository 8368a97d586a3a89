"""What `wsgi.input` of a request is, and the part of the environ that says so.

Runs in the request thread that owns the connection, before the application is called. A chunked body means the same at
any size and however it comes: it is read to its end first, kept in memory or in a file without a name, and has
CONTENT_LENGTH; unless the application is to read it as it comes (`chunked-bodies`), which has none at any size.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Callable, Dict, Optional, Tuple

from ..front.connection import Connection
from ..originals import os
from ..protocol import limits
from ..protocol.errors import ProtocolError
from ..protocol.heads import Head
from ..records.tally import Tally
from ..wire.spec import Serving
from .bodies import ArrivingBody, BodyError

_READ_BYTES = 262144
_BUFFER_BYTES = 16384


def open_input(
    connection: Connection, head: Head, settings: Serving, clock: Callable[[], int], tally: Tally
) -> Tuple[Optional[ArrivingBody], Optional[BinaryIO]]:
    """Give a request that has a body its input; returned if it has yet to arrive, and a file to be closed at the end.

    Raises ProtocolError with the status that is due; 0: there is no client any more.
    """
    environ = head.environ
    collects = head.chunked and settings.chunked_bodies != "stream"
    if connection.decoder is None and (head.chunked or len(connection.body) == head.length):
        tally.received_bytes += len(connection.body)
        data, connection.body = connection.body, b""
        if collects:
            _state_length(environ, len(data))
        if data:
            environ["wsgi.input"] = io.BytesIO(data)
        return None, None
    body = ArrivingBody(connection, settings.socket_timeout_s, head.expects, clock, settings.limit_request_body)
    incoming = io.BufferedReader(body, _BUFFER_BYTES)
    if not collects:
        environ["wsgi.input"] = incoming
        return body, None
    try:
        stream, spool, length = _collect(incoming)
    except BodyError:
        raise body.error or ProtocolError(400, "the body cannot be read") from None
    finally:
        tally.received_bytes += body.received_bytes
    _state_length(environ, length)
    environ["wsgi.input"] = stream
    return None, spool


def _state_length(environ: Dict[str, Any], length: int) -> None:
    environ["CONTENT_LENGTH"] = str(length)
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _collect(body: io.BufferedReader[ArrivingBody]) -> Tuple[BinaryIO, Optional[BinaryIO], int]:
    """Read to the end; what to read it from, the file that is, and the length. Raises BodyError, ProtocolError(503)."""
    data = body.read(limits.BUFFERED_BODY_BYTES + 1)
    if len(data) <= limits.BUFFERED_BODY_BYTES:
        return io.BytesIO(data), None, len(data)
    spool, length = None, 0
    try:
        spool = unnamed_file()
        while data:
            length += len(data)
            rest = memoryview(data)
            while rest:
                rest = rest[spool.write(rest) :]
            data = body.read(_READ_BYTES)
        spool.seek(0)
    except BaseException as error:
        if spool is not None:
            spool.close()
        if isinstance(error, OSError) and not isinstance(error, BodyError):
            raise ProtocolError(503, "there is no room for the request's body: %s" % error) from None
        raise
    stream = io.BufferedReader(spool)
    return stream, stream, length


def unnamed_file() -> io.FileIO:
    """Return an empty file of this process alone, in TMPDIR, that goes when it is closed. Raises OSError.

    It has no buffer: what cannot be written is known at once. (The module tempfile would bring fifteen others along.)
    """
    directory = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 — nobody can guess, or open, what is made there
    flags = os.O_RDWR | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(directory, flags | os.O_TMPFILE, 0o600)
    except OSError:  # not every file system knows such files (open(2))
        path = os.path.join(directory, "wsgigroups-" + os.urandom(16).hex())
        fd = os.open(path, flags | os.O_CREAT, 0o600)
        os.unlink(path)
    return io.FileIO(fd, "r+")
