"""An application that forks: the child has nothing of the server's, so clients see their ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.gate import Gate
from support.serving import receive_all
from support.serving_processes import processes


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_child_of_the_application_holds_no_connection(
    unix: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gate(tmp_path) as gate:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        with processes("forking_app:application", unix=unix) as servers:
            with servers.connect() as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert receive_all(sock).startswith(b"HTTP/1.1 200")  # to the end, while the child waits
            _pid, word = gate.wait_arrival()
            assert word == "child with 0 sockets"
            with servers.connect() as sock:  # and the parent serves on
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert b"200" in receive_all(sock)
            gate.wait_arrival()
            gate.release(2)
            assert servers.stop(servers.processes[0]) == 0
