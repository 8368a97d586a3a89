"""A gibibyte in each direction: memory stays where it was."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.serving import receive_all
from support.serving_processes import Processes, processes

GIBIBYTE = 1 << 30
COLLECTED_BYTES = 256 << 20  # on a disk
GROWTH_BYTES = 32 << 20


def peak_bytes(servers: Processes) -> int:
    """Return the largest resident size the server has had."""
    text = Path(f"/proc/{servers.processes[0].pid}/status").read_text()
    return 1024 * int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1])


def count(sock: socket.socket) -> int:
    """Read everything and throw it away."""
    space, total = bytearray(1 << 20), 0
    while size := sock.recv_into(space):
        total += size
    return total


@pytest.mark.slow
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("what", ["blocks", "file", "length", "chunks", "collected"])
def test_a_gibibyte(what: str, unix: bool, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(GIBIBYTE)
    settings = {"chunked_bodies": "stream" if what == "chunks" else "collect"}
    with processes("bulk_app:application", unix=unix, settings=settings) as servers:
        with servers.connect() as sock:
            sock.sendall(b"GET /down?1000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert count(sock) > 1000
        before = peak_bytes(servers)
        with servers.connect() as sock:
            if what in ("blocks", "file"):
                target = f"/down?{GIBIBYTE}" if what == "blocks" else f"/file?{sparse}"
                sock.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                assert GIBIBYTE < count(sock) < GIBIBYTE + 1000
            else:
                block = bytes(1 << 20)
                size = COLLECTED_BYTES if what == "collected" else GIBIBYTE
                fields, prefix, suffix, end = f"Content-Length: {size}", b"", b"", b""
                if what != "length":
                    fields, prefix, suffix, end = "Transfer-Encoding: chunked", b"100000\r\n", b"\r\n", b"0\r\n\r\n"
                sock.sendall(f"POST /up HTTP/1.1\r\nHost: a\r\n{fields}\r\nConnection: close\r\n\r\n".encode())
                for _ in range(size // len(block)):
                    sock.sendall(prefix + block + suffix)
                sock.sendall(end)
                assert receive_all(sock).endswith(str(size).encode())
        assert peak_bytes(servers) - before < GROWTH_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_gibibyte_in_one_block(unix: bool) -> None:
    """What the application has is not copied."""
    with processes("bulk_app:application", unix=unix) as servers:
        with servers.connect() as sock:
            sock.sendall(f"GET /block?{GIBIBYTE} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            assert GIBIBYTE < count(sock) < GIBIBYTE + 1000
        assert peak_bytes(servers) < GIBIBYTE + 4 * GROWTH_BYTES
