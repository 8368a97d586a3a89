"""Certificate authorities that ask over TLS whether a name leads here (RFC 8737).

They are told by their first words, and answered with a certificate that was made for the question. The loop's. Python's
`ssl` does not tell what protocols a client offers before one is chosen, so that its first record is looked at before
OpenSSL has it; only while there is a question open.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Mapping, Optional

from ..front.output import DONT_WAIT
from ..originals import select, socket
from .certificates import Certificates, new_context
from .client import ClientConnection

if TYPE_CHECKING:
    from .doors import Doorway

PROTOCOL = "acme-tls/1"
_OFFERED = b"\x0aacme-tls/1"  # with its length, as in a list of protocols (RFC 7301 section 3.1)
_HEADER_BYTES = 5  # of a record: type, version, length (RFC 8446 section 5.1)
_HANDSHAKE = 22
_MOST_BYTES = _HEADER_BYTES + 16384


def context_of(pairs: Mapping[str, str], certificates: Certificates) -> ssl.SSLContext:
    """Return the context for such clients. pairs: names of certificates by host name."""
    context = new_context()
    context.set_alpn_protocols([PROTOCOL])

    def choose(tls: Any, name: Optional[str], _context: ssl.SSLContext) -> Optional[int]:
        pair = pairs.get((name or "").lower())
        found = certificates.context(pair) if pair is not None else None
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        found.set_alpn_protocols([PROTOCOL])  # its pair is nobody else's
        tls.context = found
        return None

    context.sni_callback = choose
    return context


def offers(data: bytes) -> Optional[bool]:
    """Whether the first bytes of a client are those of an authority; None: more are needed to tell."""
    if not data or data[0] != _HANDSHAKE:
        return False
    if len(data) < _HEADER_BYTES:
        return None
    length = _HEADER_BYTES + int.from_bytes(data[3:_HEADER_BYTES], "big")
    if length > _MOST_BYTES:
        return False
    return _OFFERED in data[:length] or (None if len(data) < length else False)


class Undecided:
    """The socket of a connection whose first record has not come as a whole; then the client has another one."""

    __slots__ = ("_client", "_entry", "_sock")

    def __init__(self, client: ClientConnection, entry: "Doorway") -> None:
        self._client = client
        self._entry = entry
        self._sock = client.sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, most: int, flags: int = 0) -> bytes:
        """Return what comes behind the handshake. Raises BlockingIOError, OSError."""
        data = self._sock.recv(_MOST_BYTES, DONT_WAIT | socket.MSG_PEEK)
        found = offers(data)
        if found is None and not self._ended():  # else OpenSSL knows what to do with half a record
            raise BlockingIOError
        client = self._client
        client.sock = self._sock
        self._entry.secure_as(client, authority=bool(found))
        return client.sock.recv(most, flags or DONT_WAIT)

    def _ended(self) -> bool:
        """Whether the client sends nothing any more; what it has sent stays to be looked at, so that this is asked."""
        poll = select.poll()
        poll.register(self._sock, select.POLLRDHUP)
        return bool(poll.poll(0))
