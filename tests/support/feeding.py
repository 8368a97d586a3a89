"""Bytes given to the intake as a socket would give them, and what becomes of them: no socket, no thread, no clock.

Runs in pytest's process and under the fuzzer. Outcomes can be compared: a status for what is refused, the environ with
"body" for what an application gets, None for what is not complete.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from wsgigroups.runtime import accelerator
from wsgigroups.runtime.front.connection import HEAD, IDLE, Connection
from wsgigroups.runtime.front.intake import Intake
from wsgigroups.runtime.protocol import heads
from wsgigroups.runtime.protocol.errors import ProtocolError
from wsgigroups.runtime.protocol.limits import DEFAULT, Limits
from wsgigroups.runtime.protocol.names import TRUSTED, UNTRUSTED, Keys

PEER = "9.9.9.9"


class NoSocket:
    """What a connection needs of its socket when no byte is read from it."""

    def fileno(self) -> int:
        """Return what is never used."""
        return -1


def _step(connection: Connection, intake: Intake, left: list[bytes]) -> bool:
    """Tell whether a request is complete with what the connection has and the next of `left`. Raises ProtocolError."""
    connection.data += left.pop(0) if left else b""
    if intake.advance(connection):
        return True
    if connection.data and connection.state == IDLE:
        connection.state = HEAD  # as the poller does
    return False


def new_connection(trusted: bool = False) -> Connection:
    """Return a connection that nothing has been sent on."""
    base = {"wsgi.url_scheme": "http", "REQUEST_SCHEME": "http", "SCRIPT_NAME": "", "REMOTE_ADDR": PEER}
    return Connection(NoSocket(), base, TRUSTED if trusted else UNTRUSTED, "peer", False)  # type: ignore[arg-type]


def converse(pieces: Sequence[bytes], trusted: bool = False, limits: Limits = DEFAULT) -> list[Any]:
    """Return the outcome of every request in this stream: the last is None, unless one was refused or closes.

    A body that the application would read from the socket is read to its end.
    """
    connection = new_connection(trusted)
    intake = Intake(limits)
    left = [piece for piece in pieces if piece]
    found: list[Any] = []
    while True:
        try:
            outcome = _next(connection, intake, left)
        except ProtocolError as error:
            found.append(error.status)
            if not error.keep:
                return found
            connection.state = IDLE
            continue
        found.append(outcome)
        if outcome is None:
            return found
        assert connection.head is not None
        if not connection.head.keep_alive:
            return found
        connection.state, connection.head, connection.body = IDLE, None, b""  # as after an answer


def reaching(data: bytes) -> int:
    """Return how many requests of this stream an application would be asked for."""
    return sum(isinstance(found, dict) for found in converse([data]))


def feed(pieces: Sequence[bytes], trusted: bool = False, limits: Limits = DEFAULT) -> Any:
    """Return the outcome of the first request; an environ also has "rest", the bytes that follow the request."""
    connection = new_connection(trusted)
    left = [piece for piece in pieces if piece]
    try:
        outcome = _next(connection, Intake(limits), left)
    except ProtocolError as error:
        return error.status
    if outcome is not None:
        outcome["rest"] = connection.data + b"".join(left)
    return outcome


_EXTENSION = accelerator.load()
_READERS = _EXTENSION and heads.readers(_EXTENSION)


def accelerated(head: bytes, base: dict[str, Any], keys: Keys, limits: Limits) -> Any:
    """Return what the accelerator makes of a head, None where it leaves it to others, or where there is none."""
    return _READERS and _READERS[keys.trusted](head, base, limits.short_bytes, limits.fields)


def ways(data: bytes, trusted: bool = False) -> list[Any]:
    """Return what each way through `heads` makes of the first head of these bytes; [] without one.

    The accelerator's, if there is one, is left out where it leaves the verdict to the others.
    """
    end = data.find(b"\r\n\r\n") + 4
    if end < 4 or data.startswith(b"\r\n"):
        return []
    keys, found = (TRUSTED if trusted else UNTRUSTED), []
    for way in (heads.plainly, heads.exactly, heads.parse, accelerated):
        try:
            head = way(data[:end], {"REMOTE_ADDR": PEER}, keys, DEFAULT)
            if head is None:
                continue
            found.append({"is_ordinary": head.ordinary, **vars(head), "length": head.length, "chunked": head.chunked})
        except ProtocolError as error:
            found.append({"status": error.status, "reason": error.reason, "keep": error.keep})
    return found


def _next(connection: Connection, intake: Intake, left: list[bytes]) -> dict[str, Any] | None:
    """Take pieces off `left` until a request is complete with its body. Raises ProtocolError."""
    complete = bool(connection.data) and _step(connection, intake, [])
    while left and not complete:
        complete = _step(connection, intake, left)
    if not complete:
        return None
    head, body = connection.head, connection.body
    assert head is not None
    if connection.decoder is not None:
        decoder = connection.decoder
        assert not connection.data
        while left and not decoder.complete:
            body += decoder.feed(left.pop(0))
        if not decoder.complete:
            return None
        connection.data = decoder.rest
    elif not head.chunked:
        while len(body) < head.length:
            if not left:
                return None
            body += left.pop(0)
        connection.data = body[head.length :] + connection.data
        body = body[: head.length]
    environ = {**head.environ, "body": body}
    if head.chunked:  # as `inputs.open_input`, which collects it
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)  # behind a packet there is none
    return environ


def splittings(data: bytes, thorough: bool = False) -> Iterator[list[bytes]]:
    """Whole, line by line, byte by byte (`thorough`: if it is long, too), and five at random."""
    yield [data]
    yield data.splitlines(keepends=True)
    if thorough or len(data) < 20_000:
        yield [data[index : index + 1] for index in range(len(data))]
    chance = random.Random(len(data))
    for _ in range(5):
        cuts = sorted(chance.sample(range(len(data) + 1), min(len(data), chance.randint(1, 6))))
        yield [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
