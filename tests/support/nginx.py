"""nginx, as a peer of tests: run in the foreground, for as long as a test looks at it.

Needs the program; tests that use it are marked `needs(NGINX)`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from support.looking import pause

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or "nginx"
HUNG_S = 60.0
_FRAME = """
daemon off; master_process off; pid {directory}/pid; error_log {directory}/errors info;
events {{ worker_connections 64; }}
http {{
    access_log off; {temporary}
    {configuration}
}}
"""


@contextlib.contextmanager
def nginx(directory: Path, configuration: str) -> Iterator[Path]:
    """Run it with this inside of `http`, where `{front}` is the socket to listen on; gives that socket's path.

    What it logs is in `errors` of the directory.
    """
    front = directory / "front"
    temporary = " ".join(
        f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = configuration.replace("{front}", f"unix:{front}")
    file = directory / "nginx.conf"
    file.write_text(_FRAME.format(directory=directory, temporary=temporary, configuration=text))
    process = subprocess.Popen([NGINX, "-p", str(directory), "-e", str(directory / "errors"), "-c", str(file)])
    try:
        until = time.monotonic() + HUNG_S
        with socket.socket(socket.AF_UNIX) as sock:
            while sock.connect_ex(str(front)):
                assert process.poll() is None
                assert time.monotonic() < until
                pause()
        yield front
    finally:
        process.terminate()
        process.wait(HUNG_S)
