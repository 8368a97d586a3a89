"""The client sends nothing to whoever stands in for the manager, and speaks to no socket that others can exchange."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.accounts import ALICE_UID, BOB_UID

from wsgigroups.client import Client
from wsgigroups.errors import ExitCode, WsgigroupsError

STAND_IN = """
import os, socket, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
sock.listen()
print("listening", flush=True)
while True:
    peer, _ = sock.accept()
    print(len(peer.recv(65536)), flush=True)
    peer.close()
"""


@pytest.fixture
def base() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wg-", dir="/tmp") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@pytest.fixture
def stand_in(base: Path) -> Iterator[Callable[[Path, int], Callable[[], int]]]:
    """Start a server as a user; what it returns says how many bytes the first client sent."""
    started: list[subprocess.Popen[bytes]] = []

    def start(directory: Path, uid: int) -> Callable[[], int]:
        arguments = [sys.executable, "-c", STAND_IN, str(directory / "control.sock"), str(uid)]
        server = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=base)
        started.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
        stdout = server.stdout
        return lambda: int(stdout.readline())

    yield start
    for server in started:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()


def refused(directory: Path, words: str, *, reading: bool = False) -> None:
    client = Client(directory, 5.0)
    with pytest.raises(WsgigroupsError, match="cannot trust the manager") as caught:
        client.status() if reading else client.post("/v1/apply", {"configuration": {"secret": "x" * 9999}})
    assert words in caught.value.message
    assert caught.value.exit_code is ExitCode.NOT_PERMITTED


@pytest.mark.root
def test_a_configuration_goes_to_nobody_else(base: Path, stand_in: Callable[[Path, int], Callable[[], int]]) -> None:
    """A directory that a tenant was first to make, and a socket that a tenant could make in ours."""
    theirs, ours = base / "theirs", base / "ours"
    theirs.mkdir()
    os.chown(theirs, ALICE_UID, ALICE_UID)
    stand_in(theirs, ALICE_UID)
    refused(theirs, f"belongs to uid {ALICE_UID}")
    ours.mkdir()
    ours.chmod(0o777)
    received = stand_in(ours, ALICE_UID)
    refused(ours, "everybody can write it")
    refused(ours, "everybody can write it", reading=True)
    ours.chmod(0o755)  # too late: the socket is the tenant's
    refused(ours, f"uid {ALICE_UID} serves it")
    assert received() == 0
    refused(ours, f"uid {ALICE_UID} serves it", reading=True)
    assert received() == 0


@pytest.mark.root
def test_who_may_read_reads_from_the_owner_of_the_directory(
    base: Path, stand_in: Callable[[Path, int], Callable[[], int]]
) -> None:
    """Members of another user's read group: what they are told comes from whom they asked."""
    theirs = base / "theirs"
    theirs.mkdir()
    os.chown(theirs, ALICE_UID, ALICE_UID)
    received = stand_in(theirs, ALICE_UID)
    with pytest.raises(WsgigroupsError, match="cannot reach a manager"):  # it says nothing
        Client(theirs, 5.0).status()
    assert received() > 0
    (theirs / "control.sock").unlink()
    theirs.chmod(0o777)
    stand_in(theirs, BOB_UID)
    refused(theirs, "everybody can write it", reading=True)


def test_nobody_serves(base: Path) -> None:
    assert not Client(base / "missing").running()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(base / "control.sock"))
    assert not Client(base).running()
    with pytest.raises(WsgigroupsError, match=r"no manager is running for user \S+ \(looked in ") as caught:
        Client(base).status()
    assert caught.value.exit_code is ExitCode.NO_MANAGER
    assert str(base) in caught.value.message
    assert "--run-dir" in str(caught.value.hint)
