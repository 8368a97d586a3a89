"""nginx in front of uWSGI over a UNIX socket, the way most installations have it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.peers import Job, Peer, backlog, distribution_version
from benchmarks.peers.uwsgi import common_options, write_ini

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_timeout 75;
    keepalive_requests 100000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog={backlog};
        location / {{
            uwsgi_pass unix:{directory}/uwsgi.sock;
            uwsgi_param QUERY_STRING $query_string;
            uwsgi_param REQUEST_METHOD $request_method;
            uwsgi_param CONTENT_TYPE $content_type;
            uwsgi_param CONTENT_LENGTH $content_length;
            uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri;
            uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_param REMOTE_ADDR $remote_addr;
            uwsgi_param SERVER_PORT $server_port;
            uwsgi_param SERVER_NAME localhost;
        }}
    }}
}}
"""


class NginxUwsgi(Peer):
    """nginx and uWSGI."""

    name = "nginx_uwsgi"
    title = "nginx + uWSGI"

    def missing(self, environment: Path) -> str | None:
        if find_nginx() is None:
            return "nginx is not installed (Debian, Ubuntu: apt-get install nginx-light)"
        return None if (environment / "bin" / "uwsgi").exists() else "uwsgi is not installed"

    def version(self, environment: Path) -> str:
        told = subprocess.run([find_nginx() or "nginx", "-v"], capture_output=True, text=True, check=False).stderr
        found = re.search(r"nginx/([\d.]+)", told)
        return f"{found.group(1) if found else '?'} + {distribution_version(environment, 'pyuwsgi')}"

    def commands(self, job: Job) -> list[list[str]]:
        options = {**common_options(job), "socket": job.directory / "uwsgi.sock", "chmod-socket": "600"}
        configuration = job.directory / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(directory=job.directory, port=job.port, backlog=backlog()))
        return [
            [job.program("uwsgi"), "--ini", write_ini(job, options)],
            [find_nginx() or "nginx", "-e", f"{job.directory}/nginx.log", "-c", str(configuration)],
        ]


def find_nginx() -> str | None:
    """Return the path of nginx, which is not on an ordinary user's PATH in Debian."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


PEER = NginxUwsgi()
