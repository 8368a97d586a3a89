"""What an application is given: environ, the body of the request."""

from __future__ import annotations

import hashlib
import http.client
import json
import re

from support.conformance.asking import Answer, Asked
from support.conformance.case import BETTER, ON_PURPOSE, Apart, Case, Facts, better

MEBIBYTE = 1 << 20
_OWN_EACH_TIME = re.compile(
    r"REMOTE_PORT|REQUEST_ID|SERVER_SOFTWARE|apache\.version"
    r"|mod_wsgi\.(\w+_start|(request|connection|thread)_id|total_requests|thread_requests)"
)


def _environ(asked: Asked) -> Facts:
    """Each key with the type of its value, and the value with what is a server's own left out."""
    answer = asked.get("/environ?a=1&b=%20", **{"X-Field": "käse", "Authorization": "Basic eA==", "X_Under": "1"})
    assert answer.status == 200, answer
    found = {}
    for key, (kind, value) in json.loads(answer.body).items():
        if _OWN_EACH_TIME.fullmatch(key):
            found[key] = kind
        else:
            text = value.replace(str(asked.directory), "DIRECTORY").replace(str(asked.address[1]), "PORT")
            found[key] = f"{kind} `{text.replace(asked.prefix, '') if asked.prefix else text}`"
    return {f"environ `{key}`": found[key] for key in sorted(found)}


def _bodies(asked: Asked) -> Facts:
    body = bytes(range(256)) * 4096
    read = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
    uploaded = asked.get("/uploaded", method="POST", body=body)
    past = asked.get("/past-the-end", method="POST", body=b"0123456789")
    return {
        "a body of 1 MiB": "as it was sent" if uploaded.body == read else repr(uploaded),
        "reading past its end": past.body.decode(),
        "a chunked body": _chunked(asked).outcome,
        "`Expect: 100-continue`": _expecting(asked),
        "a Content-Length that is no number": _raw(asked, b"Content-Length: ten\r\n\r\n"),
        "10 MiB that are not read, and 10 MiB in answer": _unread(asked),
    }


def _chunked(asked: Asked) -> Answer:
    connection = http.client.HTTPConnection(*asked.address, timeout=60)
    try:
        connection.request("POST", asked.prefix + "/uploaded", iter([b"abc", b"def"]), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})  # fmt: skip
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def _raw(asked: Asked, rest: bytes, method: str = "POST") -> str:
    """Send a request whose head ends so; return the status of the first response."""
    with asked.connection() as sock:
        head = f"{method} {asked.prefix}/uploaded HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        sock.sendall(head.encode() + rest)
        with sock.makefile("rb") as stream:
            return stream.readline().decode().partition(" ")[2][:3]


def _expecting(asked: Asked) -> str:
    return _raw(asked, b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")


def _unread(asked: Asked) -> str:
    answer = asked.get("/unread", method="POST", body=bytes(10 * MEBIBYTE))
    return "answered whole" if len(answer.body) == 10 * MEBIBYTE else answer.outcome


def _keys(kind: str, why: str, *names: str) -> dict[str, Apart]:
    return dict.fromkeys((f"environ `{name}`" for name in names), Apart(kind, why))


_ENVIRON = {
    **_keys(
        ON_PURPOSE, "It comes from Apache's configuration of directories and administrators, which there is not.",
        "CONTEXT_DOCUMENT_ROOT", "CONTEXT_PREFIX", "DOCUMENT_ROOT", "PATH_TRANSLATED", "SERVER_ADMIN",
        "SERVER_SIGNATURE",
    ),
    **_keys(
        ON_PURPOSE, "It tells how mod_wsgi itself works.", "mod_wsgi.enable_sendfile", "mod_wsgi.ignore_activity",
        "mod_wsgi.script_reloading", "mod_wsgi.thread_requests", "mod_wsgi.total_requests",
    ),
    **_keys(
        ON_PURPOSE, "Daemons answer clients themselves: nothing connects to one on behalf of a request.",
        "mod_wsgi.daemon_connects", "mod_wsgi.daemon_restarts",
    ),
    **_keys(
        ON_PURPOSE, "Nothing rewrites a path here but a mount, which is known.", "mod_wsgi.path_info",
        "mod_wsgi.script_name",
    ),
    **_keys(
        ON_PURPOSE, "It differs in each request and would cost every one; `subscribe_events` tells those who ask.",
        "mod_wsgi.daemon_start", "mod_wsgi.queue_start", "mod_wsgi.script_start", "mod_wsgi.request_id",
        "mod_wsgi.request_start", "mod_wsgi.thread_id",
    ),
    **_keys(
        ON_PURPOSE, "It is that of the mod_wsgi whose names are here; Debian's is an older one.", "mod_wsgi.version",
    ),
    **_keys(
        BETTER, "Applications that check credentials themselves get them: no server in front has done so.",
        "HTTP_AUTHORIZATION",
    ),
    **_keys(BETTER, "Logs name the request by it, as those of a gateway do.", "REQUEST_ID"),
    **_keys(BETTER, "It says which process of which group answers.", "wsgigroups.group", "wsgigroups.slot"),
}  # fmt: skip

CASES = (
    Case("given", "Keys of environ", _environ, apart=_ENVIRON),
    Case("bodies", "Bodies of requests", _bodies, options={"socket-timeout": 3},
         apart=better("A chunked body is collected, and CONTENT_LENGTH is known before the call; Apache refuses it "
                      "unless `WSGIChunkedRequest` is on.", "a chunked body")),
)  # fmt: skip
