"""Write down what a process calls from its fork to its first answer, and its spawner: `python -m tools.started`.

The list is wsgigroups/runtime/spawner/started.txt, by which spawners gather the code of these functions. It is made by
a manager with one group, whose spawner is started through `started_spawner.py` and so tells of each call of a process.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = ROOT / "wsgigroups" / "runtime" / "spawner" / "started.txt"
LIMIT_S = 30.0
_MANAGER = """
import sys
from pathlib import Path
import wsgigroups.manager.supervision.starting as starting
starting._BOOTSTRAP = Path(sys.argv.pop(1))
from wsgigroups.cli.main import main
main()
"""
_GROUP = """
version = 1
[groups.a]
app = "plain:application"
python-path = ["{applications}"]
listen = ["127.0.0.1:{port}"]
processes = 2
threads = 2
"""


def called(directory: Path) -> set[str]:
    """Run it all once; return the names. Raises OSError, CalledProcessError."""
    port = _free_port()
    configuration = directory / "groups.toml"
    configuration.write_text(_GROUP.format(applications=ROOT / "benchmarks" / "applications", port=port))
    names = directory / "names"
    names.touch()
    directory.chmod(0o711)  # the process is another user's where this is root
    names.chmod(0o666)
    places = [f"--{place}-dir={directory / place}" for place in ("run", "state", "log")]
    spawner = directory / "spawner.py"
    spawner.symlink_to(Path(__file__).with_name("started_spawner.py"))
    command = [sys.executable, "-c", _MANAGER, str(spawner), *places, "run", str(configuration)]
    manager = subprocess.Popen(command, cwd=ROOT)
    try:
        _until_answered(port, manager)
    finally:
        manager.send_signal(signal.SIGTERM)
        manager.wait(LIMIT_S)
    return {name for name in names.read_text().split() if _is_shared(name.partition(":")[0])}


def _is_shared(module: str) -> bool:
    """Whether it is of ours or of Python itself, and not of what the application brings."""
    return module.startswith(".") or module.partition(".")[0] in sys.stdlib_module_names


def _until_answered(port: int, manager: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LIMIT_S
    while True:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
            connection.request("GET", "/", headers={"Connection": "close"})
            connection.getresponse().read()
            return
        if manager.poll() is not None or time.monotonic() > until:
            raise OSError("the process did not answer")
        time.sleep(0.05)


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def main() -> int:
    """Write the list; returns the exit code."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        names = called(Path(directory))
    LIST.write_text("".join(f"{name}\n" for name in sorted(names)))
    print(f"{LIST.relative_to(ROOT)}: {len(names)} functions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
