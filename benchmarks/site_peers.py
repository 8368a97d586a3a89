"""What serves two sites on one address, with TLS and without: wsgigroups, nginx with uWSGI, Apache with mod_wsgi.

Each has one process of 15 threads behind one process in front, or what its documentation has in its place. Both sites
are the same application, told apart by the front alone.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.peers import Job, Peer, backlog, mod_wsgi, nginx_uwsgi, uwsgi
from benchmarks.peers import wsgigroups as ours
from benchmarks.serving import free_port

NAMES = ("one.test", "two.test")
PORT_FILE = "tls-port"
NGINX_SITE = """
    server {{
        listen 127.0.0.1:{port} backlog={backlog};
        listen 127.0.0.1:{tls_port} ssl backlog={backlog};
        server_name {name};
        ssl_certificate {directory}/site.crt;
        ssl_certificate_key {directory}/site.key;
        location / {{
            uwsgi_pass unix:{directory}/uwsgi.sock;
            uwsgi_param QUERY_STRING $query_string;
            uwsgi_param REQUEST_METHOD $request_method;
            uwsgi_param CONTENT_TYPE $content_type;
            uwsgi_param CONTENT_LENGTH $content_length;
            uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri;
            uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_param REQUEST_SCHEME $scheme;
            uwsgi_param HTTPS $https if_not_empty;
            uwsgi_param REMOTE_ADDR $remote_addr;
            uwsgi_param REMOTE_PORT $remote_port;
            uwsgi_param SERVER_PORT $server_port;
            uwsgi_param SERVER_NAME $server_name;
        }}
    }}
"""
APACHE_SITE = """
<VirtualHost 127.0.0.1:{port}>
    ServerName {name}
    WSGIProcessGroup bench
    WSGIApplicationGroup %{{GLOBAL}}
    WSGIScriptAlias / {directory}/bench.wsgi
</VirtualHost>
"""
OUR_SITE = """
[sites."{name}"]
listen = ["127.0.0.1:{port}"]
process-group = "bench"

[[sites."{name}".mounts]]
path = "/"

[sites."{name}.tls"]
server-name = "{name}"
listen = ["127.0.0.1:{tls_port}"]
process-group = "bench"
certificate = "{directory}/site.crt"
certificate-key = "{directory}/site.key"

[[sites."{name}.tls".mounts]]
path = "/"
"""


def tls_port(job: Job) -> int:
    """Return the port of the job where TLS is spoken."""
    return int((job.directory / PORT_FILE).read_text())


def make_certificate(directory: Path, account_uid: int, account_gid: int) -> None:
    """Write a certificate of both sites and its key, for the account of the servers."""
    names = ",".join(f"DNS:{name}" for name in NAMES)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "90", "-subj", f"/CN={NAMES[0]}", "-addext", f"subjectAltName={names}",
         "-out", str(directory / "site.crt"), "-keyout", str(directory / "site.key")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for name in ("site.crt", "site.key"):
        path = directory / name
        path.chmod(0o600)
        if path.stat().st_uid != account_uid:
            os.chown(path, account_uid, account_gid)


def prepare(job: Job) -> dict[str, object]:
    """Make a certificate and choose a port for TLS; return what configurations are filled with."""
    make_certificate(job.directory, job.account.uid, job.account.gid)
    (job.directory / PORT_FILE).write_text(str(free_port()))
    return {
        "port": job.port,
        "tls_port": tls_port(job),
        "backlog": backlog(),
        "directory": job.directory,
    }


class OurSites(ours.Wsgigroups):
    """A gateway of one process and a group."""

    title = "wsgigroups, gateway and group"

    def commands(self, job: Job) -> list[list[str]]:
        words = prepare(job)
        group = ours.CONFIGURATION.format(
            access_log=job.access_log, application=job.application, applications=job.applications, backlog=backlog(),
            port=0, processes=job.layout.processes, threads=job.layout.threads,
        ).replace('listen = ["127.0.0.1:0"]\n', "")  # fmt: skip
        sites = "".join(OUR_SITE.format(name=name, **words) for name in NAMES)
        configuration = job.directory / "groups.toml"
        configuration.write_text(f"{group}\n[gateway]\nprocesses = 1\n{sites}")
        return [[*ours.program(job), "run", str(configuration)]]


class NginxSites(nginx_uwsgi.NginxUwsgi):
    """Two server blocks of one nginx worker, and uWSGI."""

    def commands(self, job: Job) -> list[list[str]]:
        words = prepare(job)
        options = {**uwsgi.common_options(job), "socket": job.directory / "uwsgi.sock", "chmod-socket": "600"}
        # the directives of http {} are those of the server without sites
        head = nginx_uwsgi.CONFIGURATION.partition("    server {{")[0].format(directory=job.directory)
        sites = NGINX_SITE.format(name=NAMES[0], **words)
        sites += NGINX_SITE.format(name=NAMES[1], **words).replace(f" backlog={backlog()}", "")
        configuration = job.directory / "nginx.conf"
        configuration.write_text(f"{head}{sites}}}\n")
        return [
            [job.program("uwsgi"), "--ini", uwsgi.write_ini(job, options)],
            [nginx_uwsgi.find_nginx() or "nginx", "-e", f"{job.directory}/nginx.log", "-c", str(configuration)],
        ]


class ApacheSites(mod_wsgi.ModWsgi):
    """Two virtual hosts of Apache, and a daemon process of mod_wsgi."""

    def commands(self, job: Job) -> list[list[str]]:
        commands = super().commands(job)
        configuration = job.directory / "apache.conf"
        text = configuration.read_text()
        for line in ("WSGIProcessGroup bench", "WSGIApplicationGroup %{GLOBAL}", f"WSGIScriptAlias / {job.directory}"):
            start = text.index(line)
            text = text[:start] + text[text.index("\n", start) + 1 :]
        sites = "".join(APACHE_SITE.format(name=name, port=job.port, directory=job.directory) for name in NAMES)
        configuration.write_text(text + sites)
        return commands


PEERS: tuple[Peer, ...] = (OurSites(), NginxSites(), ApacheSites())
