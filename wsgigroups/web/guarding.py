"""What a request has to be before anything looks at it, and what each answer forbids the browser. Pure.

Names that resolve to this machine belong to whoever owns the name (DNS rebinding): only names that nobody can own are
served, which are literal addresses of the loopback interface and `localhost` (RFC 6761 section 6.3). The port may be
another one than ours, as it is behind `ssh -L`.
"""

from __future__ import annotations

import ipaddress
import re

_HOST = re.compile(r"(localhost|[0-9.]{7,15}|\[[0-9a-f:]{2,39}\])(?::([0-9]{1,5}))?", re.ASCII)
_OURS = ("same-origin", "none")  # of Sec-Fetch-Site: our page, or somebody who typed the address

# Nothing but the page's own files and answers; no text becomes markup or code (Trusted Types), nobody frames it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_served(host: str) -> bool:
    """Whether a Host field names this machine in a way that nobody else can own."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    if found[1] == "localhost":
        return True
    try:
        return ipaddress.ip_address(found[1].strip("[]")).is_loopback
    except ValueError:
        return False


def refusal(method: str, host: str, origin: str, fetch_site: str, *, is_file: bool) -> tuple[int, str] | None:
    """Return the status and the reason of a refusal, None for a request that may go on.

    origin, fetch_site: fields of the request, "" where there are none. is_file: a part of the page, which has no
    secrets, and which a link on another page may lead to.
    """
    if not is_served(host):
        return 421, "ask for 127.0.0.1, [::1] or localhost: no other name is served here"
    if origin and origin.lower() != f"http://{host.lower()}":
        return 403, "this comes from the page of another site"
    if is_file and method in ("GET", "HEAD"):
        return None
    if method != "GET" and not origin:
        return 403, "this does not come from the page"
    if fetch_site and fetch_site not in _OURS:
        return 403, "this comes from the page of another site"
    return None
