"""What the gateway answers in its own name: pages for errors, and the way to HTTPS.

Pure; any thread. A page tells a client what it can use and nothing of what is behind the gateway: why a request failed
is in the log, under the request's id.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Tuple

from ..protocol import responses
from ..wire.routes import SiteRoute
from .router import canonical

Fields = List[Tuple[str, str]]

RETRY_AFTER_S = 5  # as the answerer of groups that fail has it

# RFC 9110 section 15, RFC 6585; those that daemons give as well are in responses.REASONS.
REASONS: Dict[int, str] = dict(responses.REASONS)
REASONS.update(
    {
        206: "Partial Content",
        301: "Moved Permanently",
        304: "Not Modified",
        308: "Permanent Redirect",
        404: "Not Found",
        405: "Method Not Allowed",
        412: "Precondition Failed",
        416: "Range Not Satisfiable",
        421: "Misdirected Request",
        429: "Too Many Requests",
        502: "Bad Gateway",
    }
)


def page(site: Optional[SiteRoute], status: int, reason: str = "", request_id: str = "") -> Tuple[Fields, bytes]:
    """Return the fields and the body of an answer of the gateway's own.

    site: whose page for that status is taken, if it has one; None: the request belongs to none. reason: the phrase
    behind the status, "" for the usual one.
    """
    text = None if site is None else site.error_pages.get(status)
    if text is None:
        media_type = "text/plain; charset=utf-8"
        text = "%d %s\n" % (status, reason or REASONS.get(status, "Error"))
        if request_id and status >= 500:
            text += "request %s\n" % request_id
    else:
        media_type = "text/html; charset=utf-8"
    body = text.encode("utf-8", "replace")
    fields = [("Content-Type", media_type), ("Content-Length", str(len(body)))]
    if status >= 400:
        fields.append(("Cache-Control", "no-store"))  # 404, 405 and 414 would be kept without (RFC 9110 section 15.1)
    if status == 503:
        fields.append(("Retry-After", str(RETRY_AFTER_S)))  # RFC 9110 section 10.2.3
    if request_id:
        fields.append(("X-Request-ID", request_id))
    return fields, body


def to_https(site: SiteRoute, environ: Mapping[str, str], port: int = 443) -> Tuple[int, str]:
    """Return status and Location of the way to HTTPS: the same host, path and query.

    environ: of the request. A host that is none of the site's is not repeated: it may be an attempt to send others
    there. A method other than GET and HEAD is kept (RFC 9110 sections 15.4.2 and 15.4.9).
    """
    host = canonical(environ.get("HTTP_HOST", ""))
    if not _has_name(site, host):
        host = canonical(site.server_name)
    authority = host if port == 443 else "%s:%d" % (host, port)
    status = 301 if environ.get("REQUEST_METHOD") in ("GET", "HEAD") else 308
    return status, "https://%s%s" % (authority, _origin_form(environ.get("REQUEST_URI", "/")))


def hsts(site: Optional[SiteRoute], secure: bool) -> Fields:
    """Return the field that has browsers use HTTPS from now on (RFC 6797): over HTTPS only (section 7.2)."""
    if site is None or not secure or not site.hsts_s:
        return []
    return [("Strict-Transport-Security", "max-age=%d" % site.hsts_s)]


def _has_name(site: SiteRoute, host: str) -> bool:
    for name in map(canonical, (site.server_name, *site.aliases)):
        if host == name or (name.startswith("*.") and len(host) >= len(name) and host.endswith(name[1:])):
            return True
    return False


def _origin_form(target: str) -> str:
    """Return path and query of a target in any form (RFC 9112 section 3.2)."""
    if target.startswith("/"):
        return target
    _scheme, found, rest = target.partition("://")
    if not found:
        return "/"
    starts = [place for place in (rest.find("/"), rest.find("?")) if place >= 0]
    if not starts:
        return "/"
    rest = rest[min(starts) :]
    return rest if rest.startswith("/") else "/" + rest
