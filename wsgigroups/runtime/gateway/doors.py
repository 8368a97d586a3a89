"""What connections of a listener go through before their first request: a PROXY header, and TLS.

Made with a table of routes; for the connections that are accepted while that one is in place.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

from ..front.output import DONT_WAIT
from ..originals import socket
from ..protocol.forwarding import Trust
from ..protocol.names import TRUSTED, UNTRUSTED
from . import authority, proxy_header, tls
from .certificates import Certificates
from .client import ClientConnection, Doors
from .router import Router
from .tickets import Tickets


class Doorway(Doors):
    """Of one listener."""

    def __init__(
        self,
        router: Router,
        place: int,
        announced: Trust,
        certificates: Optional[Certificates],
        tickets: Tickets,
        on_plain: Callable[[ClientConnection], None],
        challenges: Mapping[str, str],
    ) -> None:
        """announced: the networks of peers that begin with a PROXY header; certificates: None without TLS.

        challenges: for certificate authorities, Challenges.pairs.
        """
        self._context = None if certificates is None else tls.context_of(router, place, certificates, tickets)
        self._proof = None
        if certificates is not None and challenges:
            self._proof = authority.context_of(challenges, certificates)
            self._proof.sslsocket_class = tls.NamedSocket
        self._announced = announced
        self._on_plain = on_plain

    @property
    def needed(self) -> bool:
        """Whether there is anything to go through."""
        return self._context is not None or bool(self._announced)

    def lead_in(self, client: ClientConnection, trust: Trust) -> None:
        """Give the client a socket that takes care of it. Raises OSError."""
        announced = self._announced
        if announced and (announced.unix if client.unix else announced.covers(client.peer)):
            client.sock = Announced(client, self, trust)  # type: ignore[assignment]
        else:
            self.secure(client)

    def secure(self, client: ClientConnection) -> None:
        """Begin TLS, if the listener has it. Raises OSError."""
        if self._proof is not None:
            client.sock = authority.Undecided(client, self)  # type: ignore[assignment]
        else:
            self.secure_as(client, authority=False)

    def secure_as(self, client: ClientConnection, *, authority: bool) -> None:
        """Begin TLS, as with everybody or as with a certificate authority that looks for a proof. Raises OSError."""
        context = self._proof if authority else self._context
        if context is not None:
            client.tls = client.sock = tls.Secure(client, context, self._on_plain)  # type: ignore[assignment]


class Announced:
    """The socket of a connection whose PROXY header has not come yet; then the client has another one."""

    __slots__ = ("_client", "_entry", "_sock", "_trust")

    def __init__(self, client: ClientConnection, entry: Doorway, trust: Trust) -> None:
        self._client = client
        self._entry = entry
        self._sock = client.sock
        self._trust = trust

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, most: int, flags: int = 0) -> bytes:
        """Return what follows the header. Raises BlockingIOError, OSError."""
        # Not more than the header: what follows may be for TLS.
        data = self._sock.recv(proxy_header.MOST_BYTES, DONT_WAIT | socket.MSG_PEEK)
        if not data:
            return b""
        try:
            header = proxy_header.read(data)
        except ValueError as error:
            raise ConnectionAbortedError(str(error)) from None
        if header is None:
            raise BlockingIOError
        self._sock.recv(header.end, DONT_WAIT)
        client = self._client
        client.sock = self._sock
        if header.has_addresses:
            self._apply(client, header)
        self._entry.secure(client)
        return client.sock.recv(most, flags or DONT_WAIT)

    def _apply(self, client: ClientConnection, header: proxy_header.ProxyHeader) -> None:
        client.proxied = True
        client.base.update(
            REMOTE_ADDR=header.source,
            REMOTE_PORT=str(header.source_port),
            SERVER_ADDR=header.destination,
            SERVER_PORT=str(header.destination_port),
        )
        client.peer = header.source
        client.trusted = self._trust.covers(header.source)
        client.keys = TRUSTED if client.trusted else UNTRUSTED
