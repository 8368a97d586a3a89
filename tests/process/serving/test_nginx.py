"""With nginx in front, as many have it: what it makes of our answers."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.looking import pause
from support.serving import receive_response
from support.serving_processes import HUNG_S, processes

MEBIBYTE = 1 << 20
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or "nginx"
CONFIGURATION = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/errors info;
events {{ worker_connections 64; }}
http {{
    access_log off; client_max_body_size 0; client_body_buffer_size 64k; {temporary}
    server {{
        listen unix:{directory}/front;
        location / {{ proxy_http_version 1.1; proxy_request_buffering {buffering}; proxy_pass http://{address}; }}
        location /uwsgi {{
            uwsgi_param REQUEST_METHOD $request_method; uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri; uwsgi_param QUERY_STRING $query_string;
            uwsgi_param CONTENT_LENGTH $content_length; uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_request_buffering {buffering}; uwsgi_pass {address};
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(directory: Path, address: tuple[str, int], buffering: str) -> Iterator[Path]:
    """Run it before a server; gives the path of its socket."""
    temporary = " ".join(
        f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = directory / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(
            directory=directory, temporary=temporary, buffering=buffering, address=f"{address[0]}:{address[1]}"
        )
    )
    process = subprocess.Popen([NGINX, "-p", str(directory), "-e", str(directory / "errors"), "-c", str(file)])
    try:
        until = time.monotonic() + HUNG_S
        with socket.socket(socket.AF_UNIX) as sock:
            while sock.connect_ex(str(directory / "front")):
                assert process.poll() is None
                assert time.monotonic() < until
                pause()
        yield directory / "front"
    finally:
        process.terminate()
        process.wait(HUNG_S)


@pytest.mark.needs(NGINX)
@pytest.mark.parametrize("path", [b"/", b"/uwsgi"], ids=["http", "uwsgi"])
@pytest.mark.parametrize("buffering", ["on", "off"])
def test_an_answer_to_an_upload_that_nobody_reads_comes_through(tmp_path: Path, buffering: str, path: bytes) -> None:
    with (
        processes("denying_app:application") as servers,
        nginx(tmp_path, servers.address, buffering) as front,
    ):
        statuses = []
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(HUNG_S)
                sock.connect(str(front))
                request = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path, 8 * MEBIBYTE)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has answered by then
                    sock.sendall(request + bytes(8 * MEBIBYTE))
                statuses.append(receive_response(sock)[0])
        assert statuses == [401] * 10, (tmp_path / "errors").read_text()[-2000:]
