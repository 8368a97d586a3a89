"""Call a WSGI application without a server, under wsgiref.validate: an AssertionError names the rule that was broken.

Runs in whichever process the test chooses.
"""

from __future__ import annotations

import io
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator


def call(application: Any, path: str, body: bytes | None = None, **extra: str) -> tuple[str, dict[str, str], bytes]:
    """Call an application under the validator as a server would; return status, headers and body."""
    environ: dict[str, Any] = {"PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": ""}
    setup_testing_defaults(environ)
    if body is not None:
        environ["wsgi.input"] = io.BytesIO(body)
        environ |= {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "text/plain"}
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))
        return written.append

    answer = validator(application)(environ | extra, start_response)
    blocks = []
    try:
        blocks += list(answer)
    finally:
        answer.close()
    status, headers = started[-1]
    return status, dict(headers), b"".join([*written, *blocks])
