"""Addresses that another program has: found where two cannot listen side by side, and never one's own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from wsgigroups.config import load
from wsgigroups.host.checks.taken import Place, check_taken
from wsgigroups.host.listening import listening

TEXT = """version = 1
[groups.a]
app = "a:b"
listen = ["{}"]
[sites."x.example"]
listen = ["0.0.0.0:8080"]
process-group = "a"
[[sites."x.example".mounts]]
path = "/"
app = "a:b"
"""


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000), True),
        ("localhost:8000", ("0.0.0.0", 8000), True),
        ("0.0.0.0:8000", ("127.0.0.1", 8000), True),
        ("127.0.0.1:8000", ("127.0.0.2", 8000), False),
        ("127.0.0.1:8000", ("127.0.0.1", 8001), False),
        ("[::1]:8000", ("::1", 8000), True),
        ("[::1]:8000", ("127.0.0.1", 8000), False),
        ("unix:/run/a.sock", ("127.0.0.1", 8000), False),
    ],
)
def test_what_cannot_be_listened_on(tmp_path: Path, wanted: str, there: Place, found: bool) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(TEXT.format(wanted))
    said = load([path], check=lambda parts: check_taken(parts, {there}, ())).diagnostics
    assert ["WG0626"] * found == [item.code for item in said if item.code == "WG0626"]
    owned = (
        load([path], check=lambda parts: check_taken(parts, {there}, [wanted, f"{there[0]}:{there[1]}"]))
        if (found and ":" not in there[0])
        else None
    )
    assert owned is None or not any(item.code == "WG0626" for item in owned.diagnostics)


def test_a_site_too_and_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(TEXT.format("127.0.0.1:8000"))
    (item,) = (
        item
        for item in load([path], check=lambda parts: check_taken(parts, {("0.0.0.0", 8080)}, ())).diagnostics
        if item.code == "WG0626"
    )
    assert item.span is not None
    assert (item.span.line, item.message) == (
        6,
        "0.0.0.0:8080 is in use: another program listens on 0.0.0.0:8080",
    )


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_lists_who_listens(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as sock:
        try:
            sock.bind((host, 0))
        except OSError:
            return  # a machine without this protocol
        port = sock.getsockname()[1]
        assert (host, port) not in listening()
        sock.listen()
        assert (host, port) in listening()
