"""What every engine is asked, each as a text that two engines can be compared by. Facts, not opinions."""

from __future__ import annotations

import json
import ssl
import struct
from collections.abc import Callable
from urllib.parse import quote

from support.contract import CERTIFICATES, NASTY, PAGE, PROXY, Client

Check = Callable[[Client], str]
CHECKS: dict[str, Check] = {}
_ODD_QUOTED = "/o%20d%22d$x;%7By%7D%5C%C3%A9"
_FORGED = (
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Anything", "Forwarded", "X-Real-IP"),
    *("X-Request-ID", "Remote-User", "X-SSL-Client-Verify", "SSL-Client-Cert", "X-Original-URL", "X-Script-Name"),
    *("X-Request-Start", "X-Queue-Start", "WSGIGroups-Queue-Start", "Proxy", "X_Forwarded_For", "Remote_User"),
    *("Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Connection", "X.Forwarded.For", "Front-End-Https"),
)


def check(name: str) -> Callable[[Check], Check]:
    """Enter a check by what it is about."""

    def enter(function: Check) -> Check:
        assert name not in CHECKS
        CHECKS[name] = function
        return function

    return enter


def _place(client: Client, path: str, **how: str) -> str:
    answer = client.ask(path, **how)
    if answer.fields.get("content-type") != "application/x-told":
        return str(answer.status)
    told = answer.told
    return f"{told['SERVER_NAME']} {told['SCRIPT_NAME']!r} {told['PATH_INFO']!r}"


def _places(about: str, path: str, **how: str) -> None:
    check(about)(lambda client: _place(client, path, **how))


def _status(about: str, path: str, *names: str, **how: str) -> None:
    def ask(client: Client) -> str:
        answer = client.ask(path, **how)
        return " ".join([str(answer.status), *(f"{field}={answer.fields.get(field, '')}" for field in names)])

    check(about)(ask)


# Which site, which mount
_places("the root", "/")
_places("a mount without its slash", "/api")
_places("a mount and what is below", "/api/1")
_places("a longer name is no mount", "/apis")
_places("a mount with odd characters", f"{_ODD_QUOTED}/x%20y")
_places("an alias, in capitals and with a port", "/x", host="ALIAS.test:8080")
_places("a wildcard, any depth", "/x", host="a.b.www.test")
_places("the longest wildcard", "/x", host="a.deep.www.test")
_places("a name with a final dot", "/x", host="other.test.")
_places("a host nobody has", "/x", host="unknown.test")
_places("a path that no mount has", "/x", host="other.test")
_places("two slashes", "//api//x")
_places("dots in a path", "/api/../x/./y")
_places("dots that are encoded", "/api/%2e%2e/x")
_places("dots above the root", "/../../x")
_places("an encoded slash", "/api%2Fx")
_places("a percent sign and a new line", "/a%25b%0Ac")
_places("bytes that are no UTF-8", "/a%FFb")
_places("NUL in a path", "/a%00b")
_places("an escape that is none", "/a%zz")


@check("mounts whose names mean something to nginx")
def _(client: Client) -> str:
    wrong = []
    for path in NASTY:
        answer = client.ask(f"/nasty{quote(path)}/x")
        found = answer.told if answer.status == 200 else {}
        names = found.get("SCRIPT_NAME", "").encode("latin-1").decode(), found.get("PATH_INFO")
        if names != (f"/nasty{path}", "/x"):
            wrong.append(f"{path} {answer.status} {names}")
    return " ".join(wrong)


@check("a target with its host")
def _(client: Client) -> str:
    answer = client.send(b"GET http://other.test/only/x HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n")
    told = answer.told
    return f"{told['SERVER_NAME']} {told['REQUEST_URI']} {told['HTTP_HOST']}"


@check("HTTP/1.0 without a host")
def _(client: Client) -> str:
    told = client.send(b"GET /x HTTP/1.0\r\n\r\n").told
    return f"{told['SERVER_NAME']} {told['SERVER_PROTOCOL']} {told.get('HTTP_HOST')}"


# What an application is told


@check("fields that are forged")
def _(client: Client) -> str:
    told = client.ask(fields="".join(f"{name}: forged\r\n" for name in _FORGED)).told
    return " ".join(sorted(name for name, value in told.items() if value == "forged"))


@check("fields that pass")
def _(client: Client) -> str:
    told = client.ask(fields="X-One: 1\r\nX-Two: 2\r\nx-two: 3\r\nCookie: a=1\r\nCookie: b=2\r\n").told
    return " ".join(told[name] for name in ("HTTP_X_ONE", "HTTP_X_TWO", "HTTP_COOKIE"))


@check("a field that Connection names")
def _(client: Client) -> str:
    data = b"GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\n\r\n"
    return str("HTTP_X_MINE" in client.send(data).told)


@check("the variables that are built")
def _(client: Client) -> str:
    told = client.ask("/api/x?a=b").told
    port = str(client.addresses["plain"][1])
    return " ".join(
        [
            *(told[name] for name in ("REMOTE_ADDR", "SERVER_ADDR", "wsgi.url_scheme", "QUERY_STRING", "REQUEST_URI")),
            *(told[f"HTTP_X_FORWARDED_{name}"] for name in ("FOR", "PROTO", "HOST")),
            str(told["SERVER_PORT"] == port and told["REMOTE_PORT"].isdigit()),
        ]
    )


@check("an id for each request")
def _(client: Client) -> str:
    one, two = client.ask().told, client.ask(fields="X-Request-ID: mine\r\n").told
    ids = {one["REQUEST_ID"], one["HTTP_X_REQUEST_ID"], two["REQUEST_ID"]}
    return f"{len(ids)} {'mine' in ids}"


@check("the id is on pages of the gateway")
def _(client: Client) -> str:
    answer = client.ask("/silent", fields="X-Request-ID: mine\r\n")
    text = f"504 Gateway Timeout\nrequest {answer.fields.get('x-request-id')}\n"
    return f"{answer.status} {answer.body == text.encode()} {'mine' in text}"


@check("the time of arrival")
def _(client: Client) -> str:
    stamp = float(client.ask().told["WSGIGROUPS_QUEUE_START"])
    return str(1e9 < (stamp if stamp < 1e11 else stamp / 1e6) < 1e10)


@check("what a trusted proxy says")
def _(client: Client) -> str:
    fields = "X-Forwarded-For: 192.0.2.1, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Request-ID: mine\r\n"
    told = client.ask(fields=fields, source=PROXY).told
    names = ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "REQUEST_ID", "HTTP_X_FORWARDED_FOR")
    return " ".join(told[name] for name in names)


@check("nonsense of a trusted proxy")
def _(client: Client) -> str:
    fields = "X-Forwarded-For: what\r\nX-Forwarded-Proto: ftp\r\nX-Request-ID: a b\r\n"
    told = client.ask(fields=fields, source=PROXY).told
    return f"{told['REMOTE_ADDR']} {told['wsgi.url_scheme']} {told['REQUEST_ID'] == 'a b'}"


@check("the host that a trusted proxy says")
def _(client: Client) -> str:
    answer = client.ask("/only/x", fields="X-Forwarded-Host: other.test\r\n", source=PROXY)
    return str(answer.told["SERVER_NAME"])


@check("another field of a trusted proxy's")
def _(client: Client) -> str:
    return str(client.ask(fields="X-SSL-Client-Verify: yes\r\n", source=PROXY).told.get("HTTP_X_SSL_CLIENT_VERIFY"))


@check("when a request came to a trusted proxy")
def _(client: Client) -> str:
    told = client.ask(fields="X-Request-Start: t=1700000000000000\r\n", source=PROXY).told
    return str(told["WSGIGROUPS_QUEUE_START"] == "1700000000000000")


# Bodies


@check("a body with a length")
def _(client: Client) -> str:
    told = client.ask(method="POST", fields="Content-Length: 5\r\nContent-Type: a/b\r\n", body=b"hello").told
    return f"{told['body']} {told['CONTENT_LENGTH']} {told['CONTENT_TYPE']}"


@check("a body in chunks")
def _(client: Client) -> str:
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    told = client.ask(method="POST", fields="Transfer-Encoding: chunked\r\n", body=body).told
    return f"{told['body']} {told['CONTENT_LENGTH']} {told.get('HTTP_TRANSFER_ENCODING')}"


@check("3 MB of a body")
def _(client: Client) -> str:
    return str(client.ask(method="POST", fields="Content-Length: 3000000\r\n", body=bytes(3_000_000)).told["body"])


@check("3 MB in chunks")
def _(client: Client) -> str:
    body = (b"7530\r\n" + bytes(30_000) + b"\r\n") * 100 + b"0\r\n\r\n"
    return str(client.ask(method="POST", fields="Transfer-Encoding: chunked\r\n", body=body).told["body"])


_status("a body at its limit", "/limited", method="POST", fields="Content-Length: 1000\r\n", body=bytes(1000))
_status("a body above its limit", "/limited", method="POST", fields="Content-Length: 1001\r\n", body=bytes(1001))


@check("a body above its limit in chunks")
def _(client: Client) -> str:
    body = b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n"
    return str(client.ask("/limited", method="POST", fields="Transfer-Encoding: chunked\r\n", body=body).status)


@check("both a length and chunks")
def _(client: Client) -> str:
    fields = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    return str(client.ask(method="POST", fields=fields, body=b"0\r\n\r\n").status)


@check("an answer before the body")
def _(client: Client) -> str:
    answer = client.ask("/status/403", method="POST", fields="Content-Length: 500000\r\n", body=bytes(500_000))
    return f"{answer.status} {answer.body.decode()}"


_status("a method of one's own", "/status/200", method="FROBNICATE")

# Answers of daemons
_status("an error of the application's stays its own", "/status/502", "x-own", "content-length")
_status("HEAD", "/status/200", "content-length", method="HEAD")
_status("an answer that is none", "/garbage")
_status("an answer with two lengths", "/doubtful")
_status("a line of the head that is too long", "/long")
_status("a head that is long in sum", "/several")
_status("a daemon that closes", "/closing")
_status("a daemon that switches protocols", "/switching")
_status("a daemon that hints", "/hinting", "content-length")
_status("a daemon that would steer the gateway", "/steering", "content-length", "x-accel-redirect")
_status("a group that is down", "/down")
_status("a group whose queue is full", "/full")
_status("a daemon that says nothing", "/silent")


@check("an answer that is cut short")
def _(client: Client) -> str:
    answer = client.ask("/cut")
    return f"{answer.status} {answer.fields['content-length']} {len(answer.body.removesuffix(b'<reset>'))}"


@check("a stream that breaks off")
def _(client: Client) -> str:
    answer = client.ask("/breaks")
    return f"{answer.status} {'cut' if b'<reset>' in answer.data else 'as if whole'}"


@check("compression on the way")
def _(client: Client) -> str:
    answer = client.ask("/styles", fields="Accept-Encoding: gzip\r\n")
    return answer.fields.get("content-encoding", "none")


@check("a page of the site's for errors")
def _(client: Client) -> str:
    answer = client.ask("/closing")
    return f"{answer.status} {answer.fields['content-type']} {answer.body == PAGE.encode()}"


@check("a page of text for errors")
def _(client: Client) -> str:
    answer = client.ask("/x", host="other.test")
    return f"{answer.status} {answer.fields['content-type']} {answer.fields['cache-control']} {answer.body!r}"


# Limits of heads
_status("a request line that is too long", "/" + "x" * 9000)
_status("a field that is too long", "/", fields=f"X-Long: {'x' * 9000}\r\n")
_status("too many fields", "/", fields="".join(f"X-{n}: 1\r\n" for n in range(200)))
_status("as many fields as may be", "/status/200", fields="".join(f"X-{n}: 1\r\n" for n in range(98)))
_status("one more", "/status/200", fields="".join(f"X-{n}: 1\r\n" for n in range(99)))
_status("more than a packet holds", "/", fields="".join(f"X-{n}: {'x' * 8_180}\r\n" for n in range(8)))
_status("a field without a name", "/", fields=": x\r\n")
_status("a folded line", "/", fields="X-One: 1\r\n folded\r\n")


@check("no host over HTTP/1.1")
def _(client: Client) -> str:
    return str(client.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").status)


@check("a version nobody has")
def _(client: Client) -> str:
    return str(client.send(b"GET / HTTP/3.7\r\nHost: www.test\r\nConnection: close\r\n\r\n").status)


# Files
_status("a file", "/static/small.txt", "content-length", "content-type", "last-modified")
_status("HEAD of a file", "/static/small.txt", "content-length", method="HEAD")
_status("a range", "/static/small.txt", "content-range", "content-length", fields="Range: bytes=1-3\r\n")
_status("a range that is not there", "/static/small.txt", "content-range", fields="Range: bytes=9-\r\n")
_status("changed since", "/static/small.txt", fields="If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n")
_status("another tag", "/static/small.txt", fields='If-None-Match: "other"\r\n')
_status("a condition that fails", "/static/small.txt", fields='If-Match: "other"\r\n')
_status("another method for a file", "/static/small.txt", method="POST", fields="Content-Length: 0\r\n")
_status("a file that is not there", "/static/none")
_status("a name with a dot before it", "/static/.hidden")
_status("a directory of which the path has a dot", "/.known/small.txt", "content-length")
_status("a link that leads out", "/static/escape.txt")
_status("a link that stays inside", "/static/inside.txt")
_status("dots above a directory", "/static/%2e%2e/outside.txt/")
_status("a directory with an index", "/static/docs/", "content-type", "content-length")
_status("a directory without its slash", "/static/docs", "location")
_status("the directory itself without its slash", "/static?x", "location")
_status("a directory whose index is not there", "/static/docs/empty/")
_status("a directory where no index is wanted", "/plain/docs/")
_status("such a directory without its slash", "/plain/docs")


@check("the tag of a file")
def _(client: Client) -> str:
    tag = client.ask("/static/small.txt").fields["etag"]
    again = client.ask("/static/small.txt", fields=f"If-None-Match: {tag}\r\n")
    return f"{tag.startswith('W/')} {again.status}"


# TLS, redirections, PROXY headers


def _certificate(name: str) -> bytes:
    text = (CERTIFICATES / f"{name}.crt").read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN") :])


@check("a certificate for each name")
def _(client: Client) -> str:
    names = {_certificate(name): name for name in ("one", "two")}
    return " ".join(
        names[client.handshake(name)[0]] for name in ("www.test", "other.test", "x.www.test", "unknown.test")
    )


@check("the protocol for a client that can do HTTP/2")
def _(client: Client) -> str:
    return client.handshake("www.test")[1]


@check("what is told of TLS")
def _(client: Client) -> str:
    answer = client.ask(listener="secure", name="www.test")
    told = answer.told
    names = ("wsgi.url_scheme", "SSL_PROTOCOL", "SSL_TLS_SNI", "HTTP_X_FORWARDED_PROTO")
    return " ".join([*(told[name] for name in names), answer.fields["strict-transport-security"]])


_status("HSTS over HTTP", "/", "strict-transport-security")
_status("HSTS on pages for errors", "/closing", "strict-transport-security", listener="secure", name="www.test")
_status("HTTP where TLS is spoken", "/", listener="secure")


def _location(about: str, path: str, **how: str) -> None:
    def ask(client: Client) -> str:
        answer = client.ask(path, **how)
        port = f":{client.addresses['secure'][1]}"
        return f"{answer.status} {answer.fields.get('location', '').replace(port, ':PORT')}"

    check(about)(ask)


_location("to HTTPS", "/a%20b?c=d", host="safe.test")
_location("to HTTPS by another method", "/a", host="x.safe.test", method="POST", fields="Content-Length: 0\r\n")
_status("no redirection over TLS", "/status/200", "location", host="safe.test", listener="secure", name="safe.test")


def _proxied(about: str, before: bytes, fields: str = "") -> None:
    def ask(client: Client) -> str:
        head = f"GET / HTTP/1.1\r\nHost: www.test\r\n{fields}Connection: close\r\n\r\n"
        answer = client.send(before + head.encode(), "proxied")
        if answer.status != 200:
            return str(answer.status)
        told = answer.told
        ports = {str(client.addresses["proxied"][1]): "PORT"}
        names = ("REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "SERVER_ADDR")
        return " ".join([*(told[name] for name in names), ports.get(told["SERVER_PORT"], told["SERVER_PORT"])])

    check(about)(ask)


_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_proxied("a PROXY header", b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n")
_proxied(
    "a PROXY header of version 2",
    _V2 + b"\x21\x11" + struct.pack("!H4s4sHH", 12, bytes((192, 0, 2, 7)), bytes((192, 0, 2, 1)), 4711, 80),
)
_proxied("a PROXY header of a health check", _V2 + b"\x20\0\0\0")
_proxied(
    "a trusted proxy behind a PROXY header",
    b"PROXY TCP4 192.0.2.9 192.0.2.1 4711 80\r\n",
    "X-Forwarded-For: 192.0.2.3\r\n",
)
_proxied("no PROXY header where one must be", b"")
_proxied("a PROXY header that is broken", b"PROXY TCP4 192.0.2.7\r\n")


@check("the access log")
def _(client: Client) -> str:
    lines = [json.loads(line) for line in client.logged("/logged").splitlines() if "/logged" in line]
    line = lines[0]
    keys = ("site", "group", "method", "target", "status", "whole", "user_agent", "scheme")
    return " ".join(str(line[key]) for key in keys)
