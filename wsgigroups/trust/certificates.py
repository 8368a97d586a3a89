"""Certificates with their keys, as two files hold them: read, and looked at by OpenSSL. Executes nothing.

Runs in the manager and in commands. What is not root's alone is read as another account, as helpers.py has it.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.trust.helpers import read_file
from wsgigroups.trust.validity import expires_at, split

if TYPE_CHECKING:
    from wsgigroups.trust.helpers import Account

MAXIMUM_PEM_BYTES = 1024 * 1024
MAXIMUM_PAGE_BYTES = 64 * 1024  # of what is read for others to see
_NAME_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Pair:
    """What two files held that belong together."""

    name: str
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    expires_at: float = 0.0


class PairError(Exception):
    """Two files that cannot be used as a certificate and its key. option: whose file it is; the text says why."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(why)
        self.option = option


def read_pair(certificate: str, key: str, account: Account) -> Pair:
    """Read a certificate with its key, and see whether they belong together. Raises PairError.

    One file may hold both: the certificates are those, and the key is the rest.
    """
    found = {}
    for option, path in (("certificate", certificate), ("certificate-key", key)):
        try:
            found[option] = read_file(path, account, MAXIMUM_PEM_BYTES)
        except OSError as error:
            raise PairError(option, f"{path}: {error.strerror}") from None
    chain, secret = found["certificate"], found["certificate-key"]
    if certificate == key:
        chain, secret = split(chain)
    return pair_of(chain, secret, certificate, key)


def pair_of(chain: bytes, secret: bytes, certificate: str, key: str) -> Pair:
    """Return a certificate and its key as a pair; certificate, key: what messages call them. Raises PairError."""
    try:
        expires = expires_at(chain)
    except ValueError as error:
        raise PairError("certificate", f"{certificate}: {error}") from None
    _check(chain, secret, certificate, key)
    digest = hashlib.sha256(b"\0".join((chain, secret))).hexdigest()
    return Pair(digest[:_NAME_DIGITS], chain, secret, expires)


def _check(chain: bytes, secret: bytes, certificate: str, key: str) -> None:
    """Have OpenSSL take both. It reads from files, and these are in memory: nobody can exchange them."""

    def refuse() -> str:
        raise ValueError("it has a password")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    fd = os.memfd_create("wsgigroups-certificate", os.MFD_CLOEXEC)
    try:
        os.write(fd, chain + b"\n" + secret)
        context.load_cert_chain(f"/proc/self/fd/{fd}", password=refuse)
    except ValueError as error:
        raise PairError("certificate-key", f"{key}: {error}") from None
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            raise PairError("certificate-key", f"{key} is not the key of {certificate}") from None
        reason = error.reason or str(error)
        raise PairError("certificate-key", f"{key} holds no key that can be used: {reason}") from None
    finally:
        os.close(fd)
