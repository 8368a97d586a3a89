"""Chunked bodies of every size arrive whole in frameworks, which read as many bytes as CONTENT_LENGTH says."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.serving_processes import HUNG_S, Processes, processes

SIZES = (0, 1, 65_536, 65_537, 200_000)


def ask(servers: Processes, body: bytes) -> tuple[int, object]:
    """Send a body in chunks; status and what the application says of it."""
    connection = http.client.HTTPConnection(*servers.address, timeout=HUNG_S)
    try:
        blocks = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
        connection.request("POST", "/up", blocks, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    return response.status, json.loads(text) if response.status == 200 else text


@pytest.mark.parametrize("framework", ["django", "flask", "bottle"])
def test_frameworks_get_all_of_it(framework: str, tmp_path: Path) -> None:
    if framework != "bottle":
        pytest.importorskip(framework)
    with processes(f"framework_uploads:{framework}") as servers:
        for size in SIZES:
            body = bytes(index % 251 for index in range(size))
            wanted = {"size": size, "sha256": hashlib.sha256(body).hexdigest()}
            assert ask(servers, body) == (200, wanted)
            if shutil.which("curl"):
                assert curl(servers, body, tmp_path / "body") == wanted


def curl(servers: Processes, body: bytes, path: Path) -> object:
    """Send a body as `curl -T -` does: in chunks, and only when it is told to continue."""
    path.write_bytes(body)
    host, port = servers.address
    with path.open("rb") as stdin:
        done = subprocess.run(
            ["curl", "-sS", "-X", "POST", "-H", "Expect: 100-continue", "--expect100-timeout", str(HUNG_S),
             "--max-time", str(HUNG_S), "-T", "-", f"http://{host}:{port}/up"],
            stdin=stdin, capture_output=True, check=True, timeout=HUNG_S,
        )  # fmt: skip
    return json.loads(done.stdout)
