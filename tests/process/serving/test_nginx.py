"""With nginx in front, as many have it: what it makes of our answers."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from support.nginx import NGINX, nginx
from support.serving import receive_response
from support.serving_processes import HUNG_S, processes

MEBIBYTE = 1 << 20
CONFIGURATION = """
    client_max_body_size 0; client_body_buffer_size 64k;
    server {
        listen {front};
        location / { proxy_http_version 1.1; proxy_request_buffering BUFFERING; proxy_pass http://ADDRESS; }
        location /uwsgi {
            uwsgi_param REQUEST_METHOD $request_method; uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri; uwsgi_param QUERY_STRING $query_string;
            uwsgi_param CONTENT_LENGTH $content_length; uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_request_buffering BUFFERING; uwsgi_pass ADDRESS;
        }
    }
"""


@pytest.mark.needs(NGINX)
@pytest.mark.parametrize("path", [b"/", b"/uwsgi"], ids=["http", "uwsgi"])
@pytest.mark.parametrize("buffering", ["on", "off"])
def test_an_answer_to_an_upload_that_nobody_reads_comes_through(tmp_path: Path, buffering: str, path: bytes) -> None:
    with processes("denying_app:application") as servers:
        configuration = CONFIGURATION.replace("ADDRESS", ":".join(map(str, servers.address)))
        with nginx(tmp_path, configuration.replace("BUFFERING", buffering)) as front:
            statuses = [_answer_to_an_upload(front, path) for _ in range(10)]
    assert statuses == [401] * 10, (tmp_path / "errors").read_text()[-2000:]


def _answer_to_an_upload(front: Path, path: bytes) -> int:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(HUNG_S)
        sock.connect(str(front))
        request = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path, 8 * MEBIBYTE)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered by then
            sock.sendall(request + bytes(8 * MEBIBYTE))
        return receive_response(sock)[0]
