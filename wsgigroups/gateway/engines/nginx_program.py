"""What an nginx can do, by what it says of how it was built (`nginx -V`). Pure."""

from __future__ import annotations

import re

OLDEST = (1, 20, 0)  # -e on its command line, and ssl_reject_handshake
_DIRECTIVE_SINCE = (1, 25, 1)  # `http2 on;` in the place of `listen … http2`
_NEEDED = ("http_ssl_module", "http_realip_module", "http_gzip_static_module")
_STANDARD = ("http_uwsgi_module", "http_rewrite_module", "http_gzip_module", "http_map_module", "http_geo_module")


def version_of(program: str) -> tuple[int, ...]:
    """Return its version; () for what no nginx says."""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", program)
    return tuple(map(int, found.groups())) if found else ()


def http2_of(program: str) -> str:
    """Return how HTTP/2 is turned on: "parameter" of listen, "directive"; "" where it cannot be."""
    version = version_of(program)
    if not version or "--with-http_v2_module" not in program:
        return ""
    return "directive" if version >= _DIRECTIVE_SINCE else "parameter"


def lacks(program: str) -> str:
    """Return why it cannot be a gateway, or ""."""
    version = version_of(program)
    if not version:
        return "it does not say its version"
    if version < OLDEST:
        return f"it is nginx {_text(version)}, and {_text(OLDEST)} is the oldest that can be run"
    missing = [name for name in _NEEDED if f"--with-{name}" not in program]
    missing += [name for name in _STANDARD if f"--without-{name}" in program]
    return f"it was built without {', '.join(missing)}" if missing else ""


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
