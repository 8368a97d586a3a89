"""An Apache of our own, in the foreground, beside whatever Apache the machine has as a service.

Runs in pytest's process. Its directory, its process file, its port and its configuration are its own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from support.looking import wait

APACHE = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
_HUNG_S = 60.0


class ForegroundApache:
    """A context manager. It starts beside the caller, who waits for it with `wait`. text: the whole configuration.

    Its errors go to `errors.log` in the directory.
    """

    def __init__(self, directory: Path, port: int, text: str) -> None:
        self.directory, self.port = directory, port
        self.configuration = directory / "apache.conf"
        self.configuration.write_text(text)

    def __enter__(self) -> ForegroundApache:  # noqa: PYI034 — Self is Python 3.11
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


def load_modules(names: Iterable[str]) -> str:
    """Return the lines that load modules."""
    return "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in names)


def missing(names: Iterable[str]) -> list[str]:
    """Return the files of Apache and its modules that this machine does not have."""
    wanted = [Path(APACHE), *(MODULES / f"mod_{name}.so" for name in names)]
    return [str(path) for path in wanted if not path.exists()]
