"""Apache with mod_wsgi in daemon mode: what wsgigroups is the successor of, in its usual setting (event MPM)."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.peers import Job, Peer, backlog

MODULES = "/usr/lib/apache2/modules"
CONFIGURATION = """
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/apache.log
LogLevel warn
Listen 127.0.0.1:{port}
ListenBacklog {backlog}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
KeepAlive On
KeepAliveTimeout 75
MaxKeepAliveRequests 0
ServerLimit 16
MaxRequestWorkers 400
AsyncRequestWorkerFactor 8
WSGISocketPrefix {directory}/wsgi
WSGIDaemonProcess bench processes={processes} threads={threads} listen-backlog={backlog} \
    python-home={environment} python-path={applications}
WSGIProcessGroup bench
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {directory}/bench.wsgi
<Directory {directory}>
    Require all granted
</Directory>
"""


class ModWsgi(Peer):
    """Debian's Apache and mod_wsgi."""

    name = "mod_wsgi"
    title = "Apache + mod_wsgi daemon"

    def missing(self, environment: Path) -> str | None:
        if not (find_apache() and os.path.exists(f"{MODULES}/mod_wsgi.so")):
            return (
                "Apache or mod_wsgi is not installed (Debian, Ubuntu: apt-get install apache2 libapache2-mod-wsgi-py3)"
            )
        built_for = python_of_module()
        if built_for and not (environment / "lib" / f"python{built_for}").exists():
            return f"mod_wsgi is built for Python {built_for}, and the environment has another one"
        return None

    def version(self, environment: Path) -> str:
        told = subprocess.run([find_apache() or "apache2", "-v"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"Apache/([\d.]+)", told)
        query = ["dpkg-query", "-W", "-f", "${Version}", "libapache2-mod-wsgi-py3"]
        package = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        return f"{found.group(1) if found else '?'} + {package.partition('-')[0] or '?'}"

    def commands(self, job: Job) -> list[list[str]]:
        (job.directory / "bench.wsgi").write_text(f"from {job.application} import application\n")
        configuration = job.directory / "apache.conf"
        configuration.write_text(
            CONFIGURATION.format(
                applications=job.applications,
                backlog=backlog(),
                directory=job.directory,
                environment=job.environment,
                modules=MODULES,
                port=job.port,
                processes=job.layout.processes,
                threads=job.layout.threads,
            )
        )
        return [[find_apache() or "apache2", "-DFOREGROUND", "-f", str(configuration)]]


def find_apache() -> str | None:
    """Return the path of Apache, which is not on an ordinary user's PATH in Debian."""
    return shutil.which("apache2") or shutil.which("apache2", path="/usr/sbin")


def python_of_module() -> str | None:
    """Return the Python version that Debian's module embeds, by the name of the file."""
    names = [re.search(r"mod_wsgi\.so-(\d+\.\d+)$", path) for path in glob.glob(f"{MODULES}/mod_wsgi.so-*")]
    return next((found.group(1) for found in names if found), None)


PEER = ModWsgi()
