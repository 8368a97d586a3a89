"""The connections of clients, and the listening sockets that they come from.

The loop's. A listener may speak TLS, and may have peers whose connections begin with a PROXY header: what the routes
say of that holds for the connections that are accepted from then on.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from ..front.connection import Connection
from ..front.listener import Listener
from ..originals import socket
from ..protocol.forwarding import Trust
from ..wire.pulse import Pulse
from .forwarding import ConnectionFacts


class ClientConnection(Connection):
    """A connection of a client's."""

    __slots__ = ("facts", "listener", "packed", "proxied", "reply", "tls")

    facts: Optional[ConnectionFacts]  # made with the first request

    packed: Optional[bytes]  # these for a packet, b"" until somebody needs them; None: requests differ in them
    listener: int  # its number among those of the process
    proxied: bool  # a PROXY header has said who it is
    reply: Any  # what answers it now; None: nothing does
    tls: Any  # of tls.Secure; None: it is not encrypted


class SiteListener(Listener):
    """One listening socket of a gateway. `doors` is how its connections begin."""

    connection = ClientConnection
    arrive = None  # what comes first may be for TLS

    def __init__(self, sock: socket.socket, base: Dict[str, Any], pulse: Optional[Pulse], number: int) -> None:
        super().__init__(sock, base, pulse)
        self.number = number
        self.doors: Optional[Doors] = None

    def accept(self, trust: Trust) -> ClientConnection:
        """Take one connection. Raises BlockingIOError when there is none, OSError."""
        client = super().accept(trust)
        assert isinstance(client, ClientConnection)
        client.listener = self.number
        client.proxied = False
        client.facts = None
        client.packed = b""
        client.reply = client.tls = None
        if self.doors is not None:
            self.doors.lead_in(client, trust)
        return client


class Doors:
    """Base of what connections have to go through before their first request."""

    def lead_in(self, client: ClientConnection, trust: Trust) -> None:
        """Give the client a socket that takes care of it."""
