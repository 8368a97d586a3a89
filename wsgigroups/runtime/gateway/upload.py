"""What is left of a request's body, as its client sends it.

The loop's. One object for a request whose body had not arrived as a whole when its head was looked at.
"""

from __future__ import annotations

from typing import Optional

from ..front.connection import Connection
from ..front.output import DONT_WAIT
from ..protocol.chunked import ChunkedDecoder

READ_BYTES = 65536


class ClientLeftError(OSError):
    """The client has ended its side before the body was whole."""


class Upload:
    """`read` until `ended`."""

    __slots__ = ("_client", "_decoder", "ended", "left", "received_bytes")

    @staticmethod
    def of(client: Connection) -> "Optional[Upload]":
        """Return what is left of the body of a client's request, None if nothing is."""
        head = client.head
        if head is None or not (head.length or head.chunked):
            return None
        upload = Upload(client)
        return None if upload.ended else upload

    def __init__(self, client: Connection) -> None:
        head = client.head
        assert head is not None
        self._client = client
        self._decoder: Optional[ChunkedDecoder] = client.decoder
        self.left = 0 if head.chunked else head.length - len(client.body)  # bytes still due by Content-Length
        self.ended = self._decoder is None if head.chunked else not self.left
        self.received_bytes = len(client.body)

    def read(self) -> bytes:
        """Return what has come, perhaps nothing. Raises BlockingIOError, OSError, ProtocolError(400)."""
        client, decoder = self._client, self._decoder
        if client.data:
            data, client.data = client.data, b""
        else:
            data = client.sock.recv(READ_BYTES, DONT_WAIT)
            if not data:
                raise ClientLeftError("the client has ended its side within the body")
        self.received_bytes += len(data)
        if decoder is not None:
            block = decoder.feed(data)
            if decoder.complete:
                self.ended = True
                client.data = decoder.rest
                client.decoder = None
            return block
        if len(data) > self.left:
            data, client.data = data[: self.left], data[self.left :]
        self.left -= len(data)
        self.ended = not self.left
        return data
