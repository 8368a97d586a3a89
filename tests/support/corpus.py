"""Requests and what must become of them: the verdict table that every split and socket is held against.

A case is (name, bytes, verdict): a status for what is refused, or a dictionary of environ keys for what is accepted.
The rules are those of RFC 9110, RFC 9112 and RFC 3986; where they leave a choice, the strict one.
"""

from __future__ import annotations

from typing import Any

from wsgigroups.runtime.protocol.limits import DEFAULT

Case = tuple[str, bytes, Any]
HOST = b"Host: a.example\r\n"


def get(fields: bytes = HOST, line: bytes = b"GET / HTTP/1.1") -> bytes:
    """Return a request without a body."""
    return line + b"\r\n" + fields + b"\r\n"


def post(fields: bytes, body: bytes) -> bytes:
    """Return a request with a body."""
    return b"POST /p HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def field(name: bytes, size: int) -> bytes:
    """Return a field line of exactly `size` bytes, without counting its CRLF."""
    return name + b": " + b"x" * (size - len(name) - 2) + b"\r\n"


def chunked(body: bytes) -> bytes:
    """Return a chunked request."""
    return post(b"Transfer-Encoding: chunked\r\n", body)


def chunks(size: int, each: int = 1000) -> bytes:
    """Return a chunked body of `size` bytes."""
    blocks = [b"x" * min(each, size - start) for start in range(0, size, each)]
    return b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"


def counted(size: int) -> dict[str, Any]:
    """Return what an environ has of a chunked body, whatever its size and whoever waits for a word."""
    return {"CONTENT_LENGTH": str(size), "HTTP_TRANSFER_ENCODING": None, "body": b"x" * size}


_EXPECT = b"Expect: 100-continue\r\n"

ACCEPTED: list[Case] = [
    ("plain", get(), {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "HTTP_HOST": "a.example"}),
    ("http 1.0 without host", get(b"", b"GET /x HTTP/1.0"), {"SERVER_PROTOCOL": "HTTP/1.0", "PATH_INFO": "/x"}),
    ("query", get(line=b"GET /a?b=c&d?e HTTP/1.1"), {"PATH_INFO": "/a", "QUERY_STRING": "b=c&d?e"}),
    ("escaped path", get(line=b"GET /a%20b%2Fc%C3%A9 HTTP/1.1"), {"PATH_INFO": "/a b/c\xc3\xa9"}),
    ("broken escape stays", get(line=b"GET /100% HTTP/1.1"), {"PATH_INFO": "/100%", "REQUEST_URI": "/100%"}),
    ("escaped controls", get(line=b"GET /a%0Ab%00%7F HTTP/1.1"), {"PATH_INFO": "/a\nb\0\x7f"}),
    ("double slash stays", get(line=b"GET //a//b HTTP/1.1"), {"PATH_INFO": "//a//b"}),
    (
        "absolute form",
        get(line=b"GET http://b.example:81/x?y HTTP/1.1"),
        {"HTTP_HOST": "b.example:81", "PATH_INFO": "/x"},
    ),
    (
        "absolute form without path",
        get(line=b"GET http://b.example?y HTTP/1.1"),
        {"PATH_INFO": "/", "QUERY_STRING": "y"},
    ),
    ("host with port", get(b"Host: a.example:8080\r\n"), {"HTTP_HOST": "a.example:8080"}),
    ("host IPv6", get(b"Host: [::1]:80\r\n"), {"HTTP_HOST": "[::1]:80"}),
    ("empty host", get(b"Host:\r\n"), {"HTTP_HOST": ""}),
    ("lower-case field", get(b"host: a\r\nx-a: b\r\n"), {"HTTP_HOST": "a", "HTTP_X_A": "b"}),
    ("white space around a value", get(HOST + b"X-A: \t b c \t \r\n"), {"HTTP_X_A": "b c"}),
    ("no white space", get(HOST + b"X-A:b\r\n"), {"HTTP_X_A": "b"}),
    ("empty value", get(HOST + b"X-A:\r\nX-B: \r\n"), {"HTTP_X_A": "", "HTTP_X_B": ""}),
    ("obs-text in a value", get(HOST + b"X-A: \xe4\xff\r\n"), {"HTTP_X_A": "\xe4\xff"}),
    ("tab in a value", get(HOST + b"X-A: a\tb\r\n"), {"HTTP_X_A": "a\tb"}),
    ("colon in a value", get(HOST + b"X-A: a:b\r\n"), {"HTTP_X_A": "a:b"}),
    ("repeated field", get(HOST + b"X-A: 1\r\nX-B: x\r\nX-A: 2\r\n"), {"HTTP_X_A": "1, 2"}),
    ("repeated cookie", get(HOST + b"Cookie: a=1\r\nCookie: b=2\r\n"), {"HTTP_COOKIE": "a=1; b=2"}),
    ("empty line before", b"\r\n" + get(), {"PATH_INFO": "/"}),
    ("underscore is dropped", get(HOST + b"X_A: 1\r\nX-B: 2\r\n"), {"HTTP_X_A": None, "HTTP_X_B": "2"}),
    ("underscore does not merge", get(HOST + b"X-A: 1\r\nX_A: 2\r\n"), {"HTTP_X_A": "1"}),
    ("proxy is dropped", get(HOST + b"Proxy: evil:80\r\n"), {"HTTP_PROXY": None}),
    ("dotted name is dropped", get(HOST + b"wsgi.url_scheme: https\r\n"), {"wsgi.url_scheme": "http"}),
    ("forwarding is dropped", get(HOST + b"X-Forwarded-For: 1.2.3.4\r\n"), {"HTTP_X_FORWARDED_FOR": None}),
    ("remote-user is dropped", get(HOST + b"Remote-User: root\r\n"), {"HTTP_REMOTE_USER": None, "REMOTE_USER": None}),
    ("script-name is dropped", get(HOST + b"Script-Name: /x\r\n"), {"HTTP_SCRIPT_NAME": None, "SCRIPT_NAME": ""}),
    ("upgrade is a field", get(HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"), {"HTTP_UPGRADE": "websocket"}),
    ("http2 settings", get(HOST + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"), {"HTTP_UPGRADE": "h2c"}),
    ("rare method", get(line=b"M-SEARCH / HTTP/1.1"), {"REQUEST_METHOD": "M-SEARCH"}),
    ("method that somebody made up", get(line=b"BREW / HTTP/1.1"), {"REQUEST_METHOD": "BREW"}),
    ("method with a hyphen", get(line=b"VERSION-CONTROL / HTTP/1.1"), {"REQUEST_METHOD": "VERSION-CONTROL"}),
    ("method with a body", b"QUERY /q HTTP/1.1\r\n" + post(b"Content-Length: 1\r\n", b"x")[18:], {"body": b"x"}),
    ("lower-case method", get(line=b"get / HTTP/1.1"), {"REQUEST_METHOD": "get"}),
    ("method of every sign", get(line=b"!#$%&'*+-.^_`|~0z / HTTP/1.1"), {"REQUEST_METHOD": "!#$%&'*+-.^_`|~0z"}),
    ("http 1.2", get(line=b"GET / HTTP/1.2"), {"SERVER_PROTOCOL": "HTTP/1.1"}),
    ("http 1.9 in absolute form", get(line=b"GET http://b/ HTTP/1.9"), {"SERVER_PROTOCOL": "HTTP/1.1"}),
    ("repeated field, none of them known", get(HOST + b"X-Q1: 1\r\nX-Q1:\t2\r\n"), {"HTTP_X_Q1": "1, 2"}),
    ("content-length 0", post(b"Content-Length: 0\r\n", b""), {"CONTENT_LENGTH": "0", "body": b""}),
    ("body", post(b"Content-Length: 3\r\nContent-Type: a/b\r\n", b"abc"), {"CONTENT_TYPE": "a/b", "body": b"abc"}),
    ("body that looks like a request", post(b"Content-Length: %d\r\n" % len(get()), get()), {"body": get()}),
    ("zeroes before a length", post(b"Content-Length: 0003\r\n", b"abc"), {"body": b"abc"}),
    ("get with a body", get(HOST + b"Content-Length: 1\r\n") + b"x", {"REQUEST_METHOD": "GET", "body": b"x"}),
    ("chunks", chunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), {"body": b"abcde", "CONTENT_LENGTH": "5"}),
    ("no chunks", chunked(b"0\r\n\r\n"), counted(0)),
    ("longest buffered body in chunks", chunked(chunks(65_536)), counted(65_536)),
    ("one byte more in chunks", chunked(chunks(65_537)), counted(65_537)),
    ("long body in chunks", chunked(chunks(70_000)), counted(70_000)),
    ("long body in one chunk", chunked(chunks(70_000, 70_000)), counted(70_000)),
    ("long body", post(b"Content-Length: 70000\r\n", b"x" * 70_000), {"body": b"x" * 70_000}),
    (
        "chunks that wait for a word",
        post(b"Transfer-Encoding: chunked\r\n" + _EXPECT, chunks(3)),
        {**counted(3), "HTTP_EXPECT": "100-continue"},
    ),
    ("no chunks that wait for a word", post(b"Transfer-Encoding: chunked\r\n" + _EXPECT, chunks(0)), counted(0)),
    ("body that waits for a word", post(b"Content-Length: 3\r\n" + _EXPECT, b"abc"), {"body": b"abc"}),
    ("upper-case coding", post(b"Transfer-Encoding: CHUNKED\r\n", b"0\r\n\r\n"), {"body": b""}),
    ("chunk with zeroes", chunked(b"0003\r\nabc\r\n000\r\n\r\n"), {"body": b"abc"}),
    ("hexadecimal chunk", chunked(b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), {"body": b"0123456789" * 2}),
    ("chunk extension", chunked(b'3;a=b;c="d;\\" e";f\r\nabc\r\n0;x\r\n\r\n'), {"body": b"abc"}),
    ("trailers", chunked(b"1\r\na\r\n0\r\nX-T: 1\r\nX-U:\r\n\r\n"), {"body": b"a", "HTTP_X_T": None}),
    ("trailers whatever their names", chunked(b"0\r\nCookie: a\r\nContent-Type: b\r\nTE: c\r\n\r\n"), {"body": b""}),
    ("line at the limit", get(line=b"GET /%s HTTP/1.1" % (b"x" * (DEFAULT.request_line_bytes - 14))), {}),
    ("field at the limit", get(HOST + field(b"X-A", DEFAULT.field_bytes)), {}),
    ("fields at the limit", get(HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(DEFAULT.fields - 1))), {}),
    ("large head", get(HOST + b"".join(field(b"X-%d" % number, 8000) for number in range(8))), {}),
    ("equal fields", get(HOST + field(b"X-A", 600) * 99), {}),
]

REFUSED: list[Case] = [
    ("two spaces", get(line=b"GET  / HTTP/1.1"), 400),
    ("space before the method", get(line=b" GET / HTTP/1.1"), 400),
    ("space after the version", get(line=b"GET / HTTP/1.1 "), 400),
    ("tab for a space", get(line=b"GET\t/ HTTP/1.1"), 400),
    ("no version", get(line=b"GET /"), 400),
    ("two empty lines", b"\r\n\r\n" + get(), 400),
    ("empty target", get(line=b"GET  HTTP/1.1"), 400),
    ("method that is no token", get(line=b"G(T / HTTP/1.1"), 400),
    ("http 2", get(line=b"GET / HTTP/2.0"), 505),
    ("http 0.9", get(line=b"GET / HTTP/0.9"), 505),
    ("http 1.10", get(line=b"GET / HTTP/1.10"), 400),
    ("lower-case version", get(line=b"GET / http/1.1"), 400),
    ("method of http 2", get(line=b"PRI * HTTP/1.1"), 501),
    ("method of http 2 with a path", get(line=b"PRI / HTTP/1.1"), 501),
    ("asterisk without host", get(b"", line=b"OPTIONS * HTTP/1.1"), 400),
    ("preface of http 2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("non-ASCII target", get(line=b"GET /\xc3\xa9 HTTP/1.1"), 400),
    ("control in the target", get(line=b"GET /\x01 HTTP/1.1"), 400),
    ("fragment", get(line=b"GET /a#b HTTP/1.1"), 400),
    ("relative target", get(line=b"GET a HTTP/1.1"), 400),
    ("asterisk with GET", get(line=b"GET * HTTP/1.1"), 400),
    ("asterisk with OPTIONS", get(line=b"OPTIONS * HTTP/1.1"), 200),
    ("CONNECT", get(line=b"CONNECT a.example:80 HTTP/1.1"), 501),
    ("CONNECT with a path", get(line=b"CONNECT /a HTTP/1.1"), 400),
    ("userinfo in the target", get(line=b"GET http://u@b.example/ HTTP/1.1"), 400),
    ("other scheme", get(line=b"GET ftp://b.example/ HTTP/1.1"), 400),
    ("no authority", get(line=b"GET http:///x HTTP/1.1"), 400),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF in a field", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("bare CR in a field", b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400),
    ("CR CR LF", b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
    ("NUL in a field", get(HOST + b"X-A: a\0b\r\n"), 400),
    ("control in a field", get(HOST + b"X-A: a\x0bb\r\n"), 400),
    ("DEL in a field", get(HOST + b"X-A: a\x7fb\r\n"), 400),
    ("space before the colon", get(HOST + b"X-A : b\r\n"), 400),
    ("tab before the colon", get(HOST + b"X-A\t: b\r\n"), 400),
    ("no colon", get(HOST + b"X-A\r\n"), 400),
    ("no name", get(HOST + b": b\r\n"), 400),
    ("name with a space", get(HOST + b"X A: b\r\n"), 400),
    ("name with a bracket", get(HOST + b"X(A): b\r\n"), 400),
    ("non-ASCII name", get(HOST + b"X-\xe4: b\r\n"), 400),
    ("space before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("folded field", get(HOST + b"X-A: b\r\n c\r\n"), 400),
    ("folded with a tab", get(HOST + b"X-A: b\r\n\tc\r\n"), 400),
    ("folded to nothing", get(HOST + b"X-A: b\r\n \r\n"), 400),
    ("no host", get(b""), 400),
    ("two hosts", get(HOST + HOST), 400),
    ("two hosts, other case", get(HOST + b"hOST: b\r\n"), 400),
    ("host with userinfo", get(b"Host: u@a\r\n"), 400),
    ("host with a path", get(b"Host: a/b\r\n"), 400),
    ("host with a space", get(b"Host: a b\r\n"), 400),
    ("host list", get(b"Host: a, b\r\n"), 400),
    ("bad port", get(b"Host: a:x\r\n"), 400),
    ("length with a sign", post(b"Content-Length: +3\r\n", b"abc"), 400),
    ("negative length", post(b"Content-Length: -1\r\n", b"abc"), 400),
    ("length with a point", post(b"Content-Length: 3.0\r\n", b"abc"), 400),
    ("hexadecimal length", post(b"Content-Length: 0x3\r\n", b"abc"), 400),
    ("length with an underscore", post(b"Content-Length: 1_0\r\n", b"abc"), 400),
    ("length with a space", post(b"Content-Length: 1 0\r\n", b"abc"), 400),
    ("superscript length", post(b"Content-Length: \xb3\r\n", b"abc"), 400),
    ("empty length", post(b"Content-Length:\r\n", b"abc"), 400),
    ("list of lengths", post(b"Content-Length: 3, 3\r\n", b"abc"), 400),
    ("two equal lengths", post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), 400),
    ("two lengths", post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abc"), 400),
    ("endless length", post(b"Content-Length: %s\r\n" % (b"9" * 30), b"abc"), 413),
    ("length and coding", post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    ("coding and length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"), 400),
    ("other coding", post(b"Transfer-Encoding: gzip\r\n", b""), 400),
    ("identity", post(b"Transfer-Encoding: identity\r\n", b""), 400),
    ("chunked not last", post(b"Transfer-Encoding: chunked, gzip\r\n", b""), 400),
    ("chunked last", post(b"Transfer-Encoding: gzip, chunked\r\n", b""), 501),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked\r\n", b""), 400),
    ("two codings", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    ("chunked last, in two fields", post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", b""), 501),
    ("chunked not last, in two fields", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", b""), 400),
    ("nothing behind chunked", post(b"Transfer-Encoding: chunked,\r\n", b""), 400),
    ("nothing before chunked", post(b"Transfer-Encoding: , chunked\r\n", b""), 501),
    ("quoted coding", post(b'Transfer-Encoding: "chunked"\r\n', b""), 400),
    ("coding with a parameter", post(b"Transfer-Encoding: chunked;q=1\r\n", b""), 400),
    ("xchunked", post(b"Transfer-Encoding: xchunked\r\n", b""), 400),
    ("vertical tab chunked", post(b"Transfer-Encoding: \x0bchunked\r\n", b""), 400),
    ("empty coding", post(b"Transfer-Encoding:\r\n", b""), 400),
    ("coding in http 1.0", get(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.0") + b"0\r\n\r\n", 400),
    ("two content types", get(HOST + b"Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400),
    ("unknown expectation", get(HOST + b"Expect: 200-ok\r\n"), 417),
    ("chunk 0x", chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk +", chunked(b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk -", chunked(b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk _", chunked(b"1_0\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk empty", chunked(b"\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk with a space before", chunked(b" 3\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk with a space after", chunked(b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk of 17 digits", chunked(b"00000000000000003\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk that overflows", chunked(b"ffffffffffffffff\r\nabc"), 400),
    ("chunk with control in the extension", chunked(b"3;a\x01\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk with an empty extension", chunked(b"3;\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk with bare LF", chunked(b"3\nabc\r\n0\r\n\r\n"), 400),
    ("chunk with LF in the extension", chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n"), 400),
    ("chunk with bare CR", chunked(b"3\rabc\r\n0\r\n\r\n"), 400),
    ("chunk with a long extension", chunked(b"3;" + b"a" * 65536 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    ("endless chunk line", chunked(b"3;" + b"a" * 5000), 400),
    ("endless chunk size", chunked(b"0" * 16), 400),
    ("bad chunk after a long body", chunked(chunks(70_000)[:-5] + b"x\r\n"), 400),
    ("chunk too long for its size", chunked(b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    ("chunk ends with LF", chunked(b"3\r\nabc\n0\r\n\r\n"), 400),
    ("chunk ends with two other bytes", chunked(b"3\r\nabcXY0\r\n\r\n"), 400),
    ("last chunk with bare LF", chunked(b"3\r\nabc\r\n0\n\n"), 400),
    ("trailer authorization", chunked(b"0\r\nAuthorization: b\r\n\r\n"), 400),
    ("trailer host", chunked(b"0\r\nHost: b\r\n\r\n"), 400),
    ("trailer length", chunked(b"0\r\nContent-Length: 5\r\n\r\n"), 400),
    ("trailer coding", chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
    ("trailer without colon", chunked(b"0\r\nX\r\n\r\n"), 400),
    ("trailer with a space", chunked(b"0\r\nX : y\r\n\r\n"), 400),
    ("folded trailer", chunked(b"0\r\nX: y\r\n z\r\n\r\n"), 400),
    ("trailer with bare LF", chunked(b"0\r\nX: y\n\r\n"), 400),
    ("101 trailers", chunked(b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"), 400),
    ("endless trailer", chunked(b"0\r\nX: " + b"y" * 9000 + b"\r\n\r\n"), 400),
    ("line over the limit", get(line=b"GET /%s HTTP/1.1" % (b"x" * (DEFAULT.request_line_bytes - 13))), 414),
    ("endless line", b"GET /" + b"x" * 8186, 414),
    ("endless method", b"G" * 8191, 414),
    ("field over the limit", get(HOST + field(b"X-A", DEFAULT.field_bytes + 1)), 431),
    ("endless field", b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 8188, 431),
    ("fields over the limit", get(HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(DEFAULT.fields))), 431),
    ("endless fields", b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 100, 431),
    ("head over the limit", get(HOST + b"".join(field(b"X-%d" % number, 8000) for number in range(9))), 431),
    ("bad first, too long later", get(b"Host: a\nX: y\r\n" + field(b"X-A", 9000)), 400),
    ("too long first, bad later", get(HOST + field(b"X-A", 9000) + b"X: \0\r\n"), 431),
]


def uwsgi_packet(*pairs: tuple[str, str], modifiers: tuple[int, int] = (0, 0)) -> bytes:
    """Return a packet with these variables."""
    block = b""
    for pair in pairs:
        for text in pair:
            raw = text.encode("latin-1")
            block += len(raw).to_bytes(2, "little") + raw
    return bytes([modifiers[0]]) + len(block).to_bytes(2, "little") + bytes([modifiers[1]]) + block


BASIC = (
    ("REQUEST_METHOD", "GET"),
    ("REQUEST_URI", "/u?v"),
    ("PATH_INFO", "/u"),
    ("QUERY_STRING", "v"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("HTTP_HOST", "a.example"),
    ("CONTENT_LENGTH", ""),
    ("CONTENT_TYPE", ""),
)


def uwsgi(*more: tuple[str, str], **changed: str) -> bytes:
    """Return a packet as nginx would send it, with variables changed or added."""
    return uwsgi_packet(*((name, changed.get(name, value)) for name, value in BASIC), *more)


UWSGI_ACCEPTED: list[Case] = [
    ("uwsgi", uwsgi(), {"PATH_INFO": "/u", "QUERY_STRING": "v", "HTTP_HOST": "a.example", "CONTENT_LENGTH": None}),
    ("uwsgi body", uwsgi(CONTENT_LENGTH="3", REQUEST_METHOD="POST") + b"abc", {"body": b"abc"}),
    ("uwsgi method that somebody made up", uwsgi(REQUEST_METHOD="BREW"), {"REQUEST_METHOD": "BREW"}),
    ("uwsgi http 1.2", uwsgi(SERVER_PROTOCOL="HTTP/1.2"), {"SERVER_PROTOCOL": "HTTP/1.1"}),
    (
        "uwsgi repeated fields",
        uwsgi(*(pair for n in "12" for pair in (("HTTP_ACCEPT", n), ("HTTP_COOKIE", f"c={n}"), ("HTTP_X_A", "")))),
        {"HTTP_ACCEPT": "1, 2", "HTTP_COOKIE": "c=1; c=2", "HTTP_X_A": ", "},
    ),
    ("uwsgi proxy is dropped", uwsgi(("HTTP_PROXY", "evil")), {"HTTP_PROXY": None}),
    ("uwsgi code is dropped", uwsgi(("UWSGI_FILE", "/tmp/x"), ("UWSGI_SETENV", "A=B")), {"UWSGI_FILE": None}),
    ("uwsgi forwarding is dropped", uwsgi(("HTTP_X_FORWARDED_FOR", "1.2.3.4")), {"HTTP_X_FORWARDED_FOR": None}),
    ("uwsgi user is dropped", uwsgi(("REMOTE_USER", "root"), ("HTTPS", "on")), {"REMOTE_USER": None}),
    (
        "uwsgi path is the target's",
        uwsgi(PATH_INFO="x/../y", QUERY_STRING="z"),
        {"PATH_INFO": "/u", "QUERY_STRING": "v"},
    ),
    ("uwsgi http 1.0 without host", uwsgi_packet(*BASIC[:2], ("SERVER_PROTOCOL", "HTTP/1.0")), {"HTTP_HOST": None}),
    ("uwsgi absolute form", uwsgi(REQUEST_URI="http://b.example/u?v"), {"HTTP_HOST": "b.example", "PATH_INFO": "/u"}),
    ("uwsgi decoded path", uwsgi(REQUEST_URI="/a%0Ab%00", PATH_INFO="/a\nb\0"), {"PATH_INFO": "/a\nb\0"}),
    ("uwsgi wsgi keys are dropped", uwsgi(("wsgi.url_scheme", "https")), {"wsgi.url_scheme": "http"}),
]

UWSGI_REFUSED: list[Case] = [
    *(
        (f"uwsgi modifier {first}/{second}", uwsgi_packet(*BASIC, modifiers=(first, second)), 400)
        for first, second in ((0, 1), (0, 255))
    ),
    ("uwsgi after an empty line", b"\r\n" + uwsgi(), 400),
    ("uwsgi empty", b"\0\0\0\0", 400),
    ("uwsgi name beyond the end", b"\0\x04\0\0\xff\0ab", 400),
    ("uwsgi value beyond the end", b"\0\x05\0\0\x01\0a\xff\xff", 400),
    ("uwsgi without a value", b"\0\x03\0\0\x01\0a", 400),
    ("uwsgi two hosts", uwsgi(("HTTP_HOST", "a.example")), 400),
    ("uwsgi two credentials", uwsgi(("HTTP_AUTHORIZATION", "a"), ("HTTP_AUTHORIZATION", "a")), 400),
    ("uwsgi two lengths", uwsgi(("CONTENT_LENGTH", "0")), 400),
    ("uwsgi two lengths that are fields", uwsgi(("HTTP_CONTENT_LENGTH", "1"), ("HTTP_CONTENT_LENGTH", "1")), 400),
    ("uwsgi two targets", uwsgi(("REQUEST_URI", "/u?v")), 400),
    ("uwsgi method of http 2", uwsgi(REQUEST_METHOD="PRI"), 501),
    ("uwsgi CONNECT", uwsgi(REQUEST_METHOD="CONNECT", REQUEST_URI="a.example:80"), 501),
    ("uwsgi no target", uwsgi(REQUEST_URI=""), 400),
    ("uwsgi target with a space", uwsgi(REQUEST_URI="/a b"), 400),
    ("uwsgi long target", uwsgi(REQUEST_URI="/" + "x" * 9000), 414),
    ("uwsgi value with a newline", uwsgi(("HTTP_X", "a\nb")), 400),
    ("uwsgi length with a sign", uwsgi(CONTENT_LENGTH="+3"), 400),
    ("uwsgi endless length", uwsgi(CONTENT_LENGTH="9" * 30), 413),
    ("uwsgi long field", uwsgi(("HTTP_X", "y" * 9000)), 431),
    ("uwsgi 101 fields", uwsgi(*((f"HTTP_X{number}", "1") for number in range(100))), 431),
    ("uwsgi no host", uwsgi_packet(*BASIC[:5]), 400),
    ("uwsgi no host and no protocol", uwsgi_packet(*BASIC[:4]), 400),
    ("uwsgi unknown expectation", uwsgi(("HTTP_EXPECT", "200-ok")), 417),
    ("uwsgi http 2", uwsgi(SERVER_PROTOCOL="HTTP/2.0"), 505),
    ("uwsgi protocol that is none", uwsgi(SERVER_PROTOCOL='HTTP/1.1" 200 "x'), 400),
    ("uwsgi bad host", uwsgi(HTTP_HOST="a/b"), 400),
]
CASES = [*ACCEPTED, *REFUSED, *UWSGI_ACCEPTED, *UWSGI_REFUSED]
