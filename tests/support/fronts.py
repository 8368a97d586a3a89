"""Other programs in front of a daemon, as many have them: nginx, Apache with mod_proxy_http, HAProxy.

Runs in pytest's process; each is a process of its own on a loopback port, for as long as a context lasts. They pass on
what they were asked as it is, where there is an option for that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.looking import wait
from support.ports import Ports

_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
NGINX, APACHE, HAPROXY = (shutil.which(name, path=_PATH) or name for name in ("nginx", "apache2", "haproxy"))
_HUNG_S = 60.0
_NGINX = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/errors info;
events {{ worker_connections 64; }}
http {{
    access_log off; {temporary} client_max_body_size 0; proxy_ignore_client_abort on; keepalive_timeout 1s;
    underscores_in_headers on;
    server {{
        listen 127.0.0.1:{port}; server_name localhost;
        location / {{
            proxy_http_version 1.1; proxy_set_header Host $host; proxy_pass http://127.0.0.1:{behind};
        }}
    }}
}}
"""
_APACHE = """
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/pid
Mutex file:{directory} default
ServerName localhost
Listen 127.0.0.1:{port}
{account}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
ThreadLimit 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
KeepAliveTimeout 1
Timeout 60
ErrorLog {directory}/errors
AllowEncodedSlashes NoDecode
ProxyPreserveHost On
ProxyPass / http://127.0.0.1:{behind}/ nocanon disablereuse=on
"""
_HAPROXY = """
global
    maxconn 64
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 1s
frontend front
    bind 127.0.0.1:{port}
    default_backend behind
backend behind
    server daemon 127.0.0.1:{behind}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextlib.contextmanager
def front(program: str, directory: Path, behind: int) -> Iterator[int]:
    """Run one of the three in front of a port of the loopback; gives the port where it listens."""
    ports = Ports()
    port = ports.reserve()
    text = {NGINX: _NGINX, APACHE: _APACHE, HAPROXY: _HAPROXY}[program].format(
        directory=directory,
        port=port,
        behind=behind,
        modules="/usr/lib/apache2/modules",
        account="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
        temporary=" ".join(f"{name}_temp_path {directory}/{name};" for name in _TEMPORARY),
    )
    file = directory / "configuration"
    file.write_text(text)
    command = {
        NGINX: [NGINX, "-p", str(directory), "-e", str(directory / "errors"), "-c", str(file)],
        APACHE: [APACHE, "-DFOREGROUND", "-f", str(file)],
        HAPROXY: [HAPROXY, "-db", "-f", str(file)],
    }[program]
    with open(directory / "output", "wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, (directory / "output").read_text()
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0

        wait(answers, lambda: (directory / "output").read_text(), _HUNG_S)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(_HUNG_S)
        finally:
            process.kill()
            process.wait()
            ports.close()
