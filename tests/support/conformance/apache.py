"""The Apache of our own with mod_wsgi that serves the cases. Runs in pytest's process, as root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from support import apache
from support.conformance.case import Case

ACCOUNT = "www-data"
_CONFIGURATION = """
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/pid
Mutex file:{directory} default
ServerName localhost
Listen 127.0.0.1:{port}
User {account}
Group {account}
{modules}
StartServers 1
ServerLimit 1
ThreadsPerChild 100
ThreadLimit 100
MaxRequestWorkers 100
MinSpareThreads 1
MaxSpareThreads 100
KeepAlive Off
ErrorLog {directory}/errors.log
LogLevel info
WSGISocketPrefix {directory}/wsgi
<Directory {scripts}>
    Require all granted
</Directory>
"""
_MODULES = ("mpm_event", "authz_core", "wsgi")


class Apache(apache.ForegroundApache):
    """Each case is served below `/NAME`.

    It is an error of the caller's to open it where the modules are missing (`missing`).
    """

    def __init__(self, directory: Path, port: int, scripts: Mapping[str, Path], cases: Sequence[Case]) -> None:
        text = _CONFIGURATION.format(
            directory=directory,
            port=port,
            account=ACCOUNT,
            modules=apache.load_modules(_MODULES),
            scripts=directory.parent,
        )
        super().__init__(directory, port, text + "".join(_group(case, scripts[case.name]) for case in cases))


def missing() -> list[str]:
    """Return the files of Apache and mod_wsgi that this machine does not have."""
    return apache.missing(_MODULES)


def _group(case: Case, script: Path) -> str:
    """Return the directives of a case. A script whose group is named with it is loaded before the first request."""
    options = " ".join(f'{name}="{value}"' for name, value in case.options.items())
    loaded = (
        f"<Location /{case.name}>\n    WSGIProcessGroup {case.name}\n    WSGIApplicationGroup %{{GLOBAL}}\n</Location>"
    )
    named = "" if case.lazy else f" process-group={case.name} application-group=%{{GLOBAL}}"
    return (
        f"\nWSGIDaemonProcess {case.name} {options}\nWSGIScriptAlias /{case.name} {script}{named}\n"
        + (f"{loaded}\n" if case.lazy else "")
        + case.apache.replace("SCRIPT", str(script))
    )
