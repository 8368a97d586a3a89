"""The certificates of the sites, as contexts of TLS.

One is loaded when the first client asks for it, and its files are looked at again with each change of the routes.

`context` is the loop's, `look_again` the main thread's; each replaces entries of one table, which is all they share.
"""

from __future__ import annotations

import ssl
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from ..originals import os

DIRECTORY = "certificates"  # in the root of the process, which is its working directory
MOST_LOADED = 1024  # sites may have ten thousand, and a context takes tens of KiB
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_Version = Tuple[int, ...]


class _Loaded(NamedTuple):
    version: _Version  # of the files
    context: ssl.SSLContext


def new_context(minimum: str = "1.2") -> ssl.SSLContext:
    """Return a context without a certificate, for what this gateway speaks: HTTP/1.1 over TLS 1.2 and later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS.get(minimum, ssl.TLSVersion.TLSv1_3)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    # clients that end without a close_notify have ended all the same (RFC 9112 section 9.8); to some versions of Python
    # that is the default, with others OpenSSL sends no answer after such an end
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Certificates:
    """By the names that routes have for them."""

    def __init__(self, log: Callable[[str, str], None], directory: str = DIRECTORY) -> None:
        self._log = log
        self._directory = directory
        self._loaded: Dict[str, _Loaded] = {}

    def context(self, name: str) -> Optional[ssl.SSLContext]:
        """Return a site's context, None if its certificate cannot be loaded."""
        found = self._loaded.get(name)
        if found is None:
            found = self._load(name)
            if found is None:
                return None
            if len(self._loaded) >= MOST_LOADED:
                self._loaded.clear()
            self._loaded[name] = found
        return found.context

    def fresh(self, name: str) -> Optional[ssl.SSLContext]:
        """Return a context of its own with a certificate, None if that cannot be loaded. Any thread."""
        found = self._load(name)
        return None if found is None else found.context

    def look_again(self) -> None:
        """Load anew what has changed. What cannot be loaded is logged, and the one of before stays."""
        for name, before in list(self._loaded.items()):
            if self._version(name) != before.version:
                found = self._load(name)
                if found is not None:
                    self._loaded[name] = found

    def _load(self, name: str) -> Optional[_Loaded]:
        version = self._version(name)
        context = new_context()
        try:
            context.load_cert_chain(*self._paths(name))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self._log("error", "the certificate %s cannot be used: %s" % (name, error))
            return None
        return _Loaded(version, context)

    def _paths(self, name: str) -> Tuple[str, str]:
        beginning = "%s/%s." % (self._directory, name)
        return beginning + "crt", beginning + "key"

    def _version(self, name: str) -> _Version:
        """Return what changes whenever one of the files does; () if one is not there."""
        try:
            found = [os.stat(path) for path in self._paths(name)]
        except OSError:
            return ()
        return tuple(value for item in found for value in (item.st_mtime_ns, item.st_ino, item.st_size))
