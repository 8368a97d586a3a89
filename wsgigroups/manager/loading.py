"""Load what a manager is made of, without what takes time and is of no use to it. Runs in the process that becomes one.

The library of the control API (aiohttp) reads the machine's certificate authorities when it is imported, for a client
that a manager never is. Where OpenSSL looks for them is said by variables of the environment
(SSL_CTX_set_default_verify_paths(3)).
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from wsgigroups import collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORITIES = "SSL_CERT_FILE"


def load() -> None:
    """Load `wsgigroups.manager.main`; from then on garbage is collected as usual."""
    with _without_authorities():
        import wsgigroups.manager.main  # noqa: F401
    collecting.as_usual()


@contextlib.contextmanager
def _without_authorities() -> Iterator[None]:
    """Have OpenSSL find no file of authorities in the block."""
    before = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[_AUTHORITIES]
        else:
            os.environ[_AUTHORITIES] = before
