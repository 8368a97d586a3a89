"""An Apache of our own with mod_wsgi, in the foreground, beside whatever Apache the machine has as a service.

Runs in pytest's process, as root. Its directory, its process file, its port and its configuration are its own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from support.conformance.case import Case
from support.looking import wait

APACHE = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
ACCOUNT = "www-data"
_HUNG_S = 60.0
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


class Apache:
    """A context manager: each case is served below `/NAME`. It starts beside the caller, who waits for it with `wait`.

    It is an error of the caller's to open it where the modules are missing (`missing`).
    """

    def __init__(self, directory: Path, port: int, scripts: Mapping[str, Path], cases: Sequence[Case]) -> None:
        self.directory, self.port = directory, port
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in _MODULES)
        text = _CONFIGURATION.format(
            directory=directory, port=self.port, account=ACCOUNT, modules=modules, scripts=directory.parent
        )
        self.configuration = directory / "apache.conf"
        self.configuration.write_text(text + "".join(_group(case, scripts[case.name]) for case in cases))

    def __enter__(self) -> Apache:  # noqa: PYI034 — Self is Python 3.11
        self._output = open(self.directory / "output", "wb")
        self._process = subprocess.Popen(
            [APACHE, "-DFOREGROUND", "-f", str(self.configuration)],
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output, start_new_session=True,
            env={"PATH": os.defpath},
        )  # fmt: skip
        return self

    def wait(self) -> None:
        """Wait until it answers."""
        wait(self._answers, lambda: f"Apache does not answer\n{self.said()}", _HUNG_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_HUNG_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._output.close()
        if kind is not None:
            print(self.said())  # pytest shows it for a test that failed

    def said(self) -> str:
        """Return the end of its logs."""
        logs = (self.directory / name for name in ("output", "errors.log"))
        return "\n".join(log.read_text(errors="replace")[-8000:] for log in logs if log.exists())

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.said()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


def missing() -> list[str]:
    """Return the files of Apache and mod_wsgi that this machine does not have."""
    wanted = [Path(APACHE), *(MODULES / f"mod_{name}.so" for name in _MODULES)]
    return [str(path) for path in wanted if not path.exists()]


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
        + case.apache
    )
