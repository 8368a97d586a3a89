"""TLS on a client's connection, behind the few methods of a socket that the front knows.

The loop's. Sockets are watched edge-triggered, so `recv` reads until the kernel and OpenSSL have nothing more. A record
that the kernel had no room for has to be offered again as it was (SSL_write(3)): whoever sends keeps what was not
taken, and begins with it.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Callable, List, Optional

from ..originals import socket
from ..wire.routes import SiteRoute
from .authority import PROTOCOL
from .certificates import Certificates, new_context
from .forwarding import TlsFacts
from .router import Router
from .tickets import Tickets

if TYPE_CHECKING:
    from .client import ClientConnection

_RECORD_BYTES = 16384  # RFC 8446 section 5.1
_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_VERSIONS = ("TLSv1.2", "TLSv1.3")


class NamedSocket(ssl.SSLSocket):
    """With what the client's first words have asked for."""

    asked = ""  # the name, by SNI
    site: Optional[SiteRoute] = None


def context_of(router: Router, place: int, certificates: Certificates, tickets: Tickets) -> ssl.SSLContext:
    """Return the context that connections of a listener begin with: the site's comes when its name is known.

    Tickets are of the first one, whichever follows (SSL_set_SSL_CTX of OpenSSL leaves the session's).
    """
    context = new_context()
    tickets.give(context)
    context.sslsocket_class = NamedSocket

    def choose(tls: Any, name: Optional[str], _context: ssl.SSLContext) -> Optional[int]:
        _site_name, site = router.site_of(place, name or "")
        found = None if site is None or not site.certificate else certificates.context(site.certificate)
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        tls.asked, tls.site = name or "", site
        tls.context = found
        return None

    context.sni_callback = choose
    return context


class Secure:
    """The socket of a connection with TLS."""

    __slots__ = ("_cut", "_facts", "_on_plain", "_owed", "_plain", "_shaken", "_tls")

    def __init__(
        self, client: "ClientConnection", context: ssl.SSLContext, on_plain: Callable[["ClientConnection"], None]
    ) -> None:
        """on_plain: called once, if the client speaks HTTP without TLS. Raises OSError."""
        sock = client.sock
        sock.setblocking(False)
        tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        assert isinstance(tls, NamedSocket)
        self._tls = tls
        self._on_plain: Callable[[], None] = lambda: on_plain(client)
        self._shaken = False  # hands
        self._plain = False
        self._owed = 0  # bytes of the record that is to be offered again
        self._cut = False  # it ends without a close_notify
        self._facts = TlsFacts("", "")

    def facts(self) -> TlsFacts:
        """Return what was agreed on."""
        return self._facts

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._tls.fileno()

    def _shake(self) -> None:
        """Go on with the handshake. Raises BlockingIOError until it is done, OSError."""
        tls = self._tls
        try:
            tls.do_handshake()
        except _NOT_NOW:
            raise BlockingIOError from None
        except ssl.SSLError as error:
            if error.reason != "HTTP_REQUEST":
                raise
            self._plain = True
            self._on_plain()
            raise BlockingIOError from None
        self._shaken = True
        if tls.selected_alpn_protocol() == PROTOCOL:
            raise ConnectionAbortedError("a certificate authority has seen what it asked for")  # RFC 8737 section 3
        version, cipher = tls.version() or "", tls.cipher()
        if tls.site is not None and tls.site.tls_minimum == "1.3" and version in _VERSIONS[:-1]:
            raise ConnectionAbortedError("the site wants TLS 1.3, and the client has %s" % version)
        self._facts = TlsFacts(version, cipher[0] if cipher else "", tls.asked)

    def recv(self, most: int, flags: int = 0) -> bytes:
        """Return what has come, b"" at the end. Raises BlockingIOError, OSError."""
        if self._plain:
            return socket.socket.recv(self._tls, most, flags)
        if not self._shaken:
            self._shake()
        blocks: List[bytes] = []
        left = most
        while left:
            try:
                block = self._tls.read(left)
            except ssl.SSLZeroReturnError:
                break
            except _NOT_NOW:
                if not blocks:
                    raise BlockingIOError from None
                break
            except OSError:
                if not blocks:
                    raise
                break  # it comes again
            if not block:
                break
            blocks.append(block)
            left -= len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send what is taken now; return how much. Raises BlockingIOError, OSError."""
        if self._plain:
            return socket.socket.send(self._tls, data, flags)
        view = memoryview(data)
        sent = 0
        while sent < len(view):
            size = self._owed or min(_RECORD_BYTES, len(view) - sent)
            try:
                count = self._tls.write(view[sent : sent + size])
            except _NOT_NOW:
                self._owed = size
                if not sent:
                    raise BlockingIOError from None
                break
            self._owed = 0
            sent += count
        return sent

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """Read what nobody wants any more, as it is."""
        return socket.socket.recv_into(self._tls, buffer, size, flags)

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """Set an option."""
        if option == socket.SO_LINGER:  # it is to be seen that this is no end
            self._cut = True
        self._tls.setsockopt(level, option, value)

    def shutdown(self, how: int) -> None:
        """End our side, with a close_notify (RFC 8446 section 6.1)."""
        self._say_end()
        socket.socket.shutdown(self._tls, how)

    def close(self) -> None:
        """End it."""
        if not self._cut:
            self._say_end()
        self._on_plain = _nobody  # who knows the client, which knows us: memory is to be free at once
        self._tls.close()

    def _say_end(self) -> None:
        if self._shaken and not self._plain:
            self._cut = True  # once
            with contextlib.suppress(OSError, ValueError):  # the client need not answer
                self._tls.unwrap()


def _nobody() -> None:
    """Nobody is told."""
