"""Keys of TLS session tickets that all processes of a gateway have, so that a client may come back to any of them.

Python's `ssl` has no call for it. OpenSSL has: SSL_CTX_set_tlsext_ticket_keys(3), of the library that `_ssl` itself is
linked to, with the SSL_CTX that a context of Python's keeps as its first field. Where anything of that is not known to
be so, nothing is done; and before any client sees it, a session is taken up in memory, from one context by another.
Without, each context has keys of its own, and a client that comes to another one makes a whole handshake.
"""

from __future__ import annotations

import ctypes
import itertools
import ssl
import sys
from typing import Any, Callable, Iterable, Optional, Tuple

from ..originals import os
from .certificates import Certificates

KEYS_BYTES = 80  # name, HMAC key and AES key; 48 before OpenSSL 1.1.1
_SET_KEYS = 59  # SSL_CTRL_SET_TLSEXT_TICKET_KEYS of openssl/ssl.h
_KNOWN = (3, 14)  # from here on nobody has looked where Python keeps the SSL_CTX (Modules/_ssl.c: PySSLContext)
_TRIED = 8  # certificates; each that cannot be loaded is logged
_ROUNDS = 10  # of a handshake in memory; it takes three


class TicketError(Exception):
    """Keys cannot be set; the message says why."""


class _Library:
    """The one that `_ssl` uses. Raises TicketError."""

    def __init__(self) -> None:
        if sys.implementation.name != "cpython" or sys.version_info >= _KNOWN:
            raise TicketError("not known of this Python")
        try:
            import _ssl

            found = ctypes.CDLL(getattr(_ssl, "__file__", None))  # a symbol is looked for in what it is linked to, too
            number = found.OpenSSL_version_num
            number.restype = ctypes.c_ulong
            self._control: Any = found.SSL_CTX_ctrl
        except (ImportError, OSError, AttributeError) as error:
            raise TicketError("the library of TLS cannot be called: %s" % error) from None
        if not ssl.OPENSSL_VERSION.startswith("OpenSSL ") or number() != ssl.OPENSSL_VERSION_NUMBER:
            raise TicketError("not known of %s" % ssl.OPENSSL_VERSION)
        self._control.restype = ctypes.c_long
        self._control.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]

    def set_keys(self, context: ssl.SSLContext, keys: bytes) -> None:
        """Give a context its keys. Raises TicketError."""
        address = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
        if not address or self._control(address, _SET_KEYS, 0, None) != KEYS_BYTES:
            raise TicketError("its keys have another length than %d bytes" % KEYS_BYTES)
        if self._control(address, _SET_KEYS, len(keys), ctypes.c_char_p(keys)) != 1:
            raise TicketError("it does not take keys")


def _library() -> Tuple[Optional[_Library], str]:
    try:
        return _Library(), ""
    except TicketError as error:
        return None, str(error)


# Now: a process in its empty root finds no library any more.
_LIBRARY, _WHY_NOT = _library()


class Tickets:
    """The keys in force, and whether they can be used here. `take` is the main thread's, `give` the loop's."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._log = log
        self._works: Optional[bool] = None  # not known until there is a certificate to try it with
        self._keys = b""

    @property
    def shared(self) -> bool:
        """Whether contexts get keys that others have, too."""
        return bool(self._works and self._keys)

    def take(self, keys: str, names: Iterable[str], certificates: Certificates) -> None:
        """Have these keys from now on, hexadecimal; "": none. names: of certificates, of which one is tried with."""
        self._keys = bytes.fromhex(keys)
        if not self._keys or self._works is not None:
            return
        try:
            self._works = _works(names, certificates)
        except Exception as error:  # noqa: BLE001 — whatever it is, clients are served as without
            self._works = False
            self._log("info", "session tickets of TLS are not shared by processes: %s" % error)

    def give(self, context: ssl.SSLContext) -> None:
        """Have a context use the keys, if that works here."""
        if self.shared and _LIBRARY is not None:
            try:
                _LIBRARY.set_keys(context, self._keys)
            except TicketError as error:
                self._works = False
                self._log("warning", "session tickets of TLS are not shared by processes any more: %s" % error)


def _works(names: Iterable[str], certificates: Certificates) -> Optional[bool]:
    """Try it with the first certificate that can be loaded; None: there is none. Raises TicketError, OSError."""
    if _LIBRARY is None:
        raise TicketError(_WHY_NOT)
    for name in itertools.islice(names, _TRIED):
        one = certificates.fresh(name)
        other, stranger = (certificates.fresh(name), certificates.fresh(name)) if one is not None else (None, None)
        if one is not None and other is not None and stranger is not None:
            _try_out(_LIBRARY, one, other, stranger)
            return True
    return None


def _try_out(library: _Library, one: ssl.SSLContext, other: ssl.SSLContext, stranger: ssl.SSLContext) -> None:
    """See that a session of one is taken up by the other, and not by a stranger. Raises TicketError, OSError."""
    keys = os.urandom(KEYS_BYTES)
    library.set_keys(one, keys)
    library.set_keys(other, keys)
    library.set_keys(stranger, os.urandom(KEYS_BYTES))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    session, _taken_up = _met(client, one, None)
    if session is None or not _met(client, other, session)[1] or _met(client, stranger, session)[1]:
        raise TicketError("a session is not taken up in a trial")


def _met(client: ssl.SSLContext, server: ssl.SSLContext, session: Any) -> Tuple[Any, bool]:
    """Let both shake hands in memory; return the session, and whether it was taken up. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up, session=session)  # a name would want a codec, which is outside of the root
    asked = server.wrap_bio(up, down, server_side=True)
    for _ in range(_ROUNDS):
        if all([_shaken(asking), _shaken(asked)]):  # both, each time
            break
    asked.write(b"x")  # behind the tickets
    asking.read(1)
    return asking.session, bool(asking.session_reused)


def _shaken(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
