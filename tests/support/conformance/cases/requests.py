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
    r"REMOTE_PORT|SERVER_SOFTWARE|apache\.version|mod_wsgi\.(\w+_start|(request|connection|thread)_id|total_requests|thread_requests)"
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
        ON_PURPOSE, "There is no document tree, no directory and no administrator: a group answers for itself.",
        "CONTEXT_DOCUMENT_ROOT", "CONTEXT_PREFIX", "DOCUMENT_ROOT", "PATH_TRANSLATED", "SERVER_ADMIN",
        "SERVER_SIGNATURE",
    ),
    **_keys(
        ON_PURPOSE, "PEP 3333 has `wsgi.url_scheme`.", "REQUEST_SCHEME",
    ),
    **_keys(
        ON_PURPOSE, "The script is `__file__` in the script.", "SCRIPT_FILENAME", "mod_wsgi.handler_script",
        "mod_wsgi.request_handler", "mod_wsgi.callable_object",
    ),
    **_keys(
        ON_PURPOSE, "It tells of Apache or of this version of mod_wsgi, and neither is here.", "apache.version",
        "mod_wsgi.version", "mod_wsgi.enable_sendfile", "mod_wsgi.ignore_activity", "mod_wsgi.script_reloading",
    ),
    **_keys(
        ON_PURPOSE, "Each group is a process, and has no interpreters within it.", "mod_wsgi.application_group",
    ),
    **_keys(
        ON_PURPOSE, "Daemons answer clients themselves: there is no process between, and nothing to connect to.",
        "mod_wsgi.daemon_connects", "mod_wsgi.daemon_restarts", "mod_wsgi.daemon_start", "mod_wsgi.path_info",
        "mod_wsgi.script_name", "mod_wsgi.queue_start", "mod_wsgi.script_start",
    ),
    **_keys(
        ON_PURPOSE, "The group has another name for it: `wsgigroups.group`.", "mod_wsgi.process_group",
    ),
    **_keys(
        ON_PURPOSE, "What is counted is in the status document, and times are in the access log.",
        "mod_wsgi.request_id", "mod_wsgi.request_start", "mod_wsgi.thread_id", "mod_wsgi.thread_requests",
        "mod_wsgi.total_requests",
    ),
    **_keys(
        ON_PURPOSE, "SERVER_NAME and SERVER_PORT say where it listens.", "SERVER_ADDR", "mod_wsgi.listener_host",
        "mod_wsgi.listener_port",
    ),
    **_keys(
        BETTER, "Applications that check credentials themselves get them: no server in front has done so.",
        "HTTP_AUTHORIZATION",
    ),
    **_keys(BETTER, "It says which process of which group answers.", "wsgigroups.group", "wsgigroups.slot"),
}  # fmt: skip

CASES = (
    Case("given", "Keys of environ", _environ, apart=_ENVIRON),
    Case("bodies", "Bodies of requests", _bodies, options={"socket-timeout": 3},
         apart=better("A chunked body is collected, and CONTENT_LENGTH is known before the call; Apache refuses it "
                      "unless `WSGIChunkedRequest` is on.", "a chunked body")),
)  # fmt: skip
