"""wsgi.file_wrapper: what leaves by sendfile, and what has to be read because its bytes are not those of a file."""

# ruff: noqa: SIM115 — whoever gets a file closes it: the server
from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.serving import receive_response, serving

from wsgigroups.runtime.wsgi.files import FileWrapper

CONTENT = bytes(index % 251 for index in range(100_000))
SYSFS = "/sys/devices/system/cpu/possible"  # 4096 bytes long, it says, and a handful when read


class Shouting(io.BufferedReader):
    """A reader with a `read` of its own."""

    def read(self, size: int | None = -1) -> bytes:
        """Return upper case."""
        return super().read(size).upper()


class Wrapping:
    """A file-like object that has a descriptor, and bytes of its own."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def fileno(self) -> int:
        """Return what `read` does not just read."""
        return int(self._file.fileno())

    def tell(self) -> int:
        """Return where the file is."""
        return int(self._file.tell())

    def read(self, size: int = -1) -> bytes:
        """Return reversed blocks."""
        return bytes(reversed(self._file.read(size)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def compressed(path: Path) -> Any:
    """Return a reader of what a compressed file holds."""
    path.write_bytes(gzip.compress(CONTENT))
    return gzip.open(path, "rb")


def written_to(path: Path) -> Any:
    """Return a file with a change that has not been written yet, right behind where it is."""
    path.write_bytes(CONTENT)
    file = open(path, "r+b")
    file.seek(10)
    file.write(b"new")
    return file


def named(_path: Path) -> Any:
    """Return a temporary file that is deleted when it is closed."""
    file = tempfile.NamedTemporaryFile()
    file.write(CONTENT)
    file.seek(7)
    return file


def plain(path: Path) -> Path:
    """Write the content."""
    path.write_bytes(CONTENT)
    return path


SENT: dict[str, tuple[Callable[[Path], Any], bytes]] = {
    "buffered": (lambda path: open(plain(path), "rb"), CONTENT),
    "unbuffered": (lambda path: open(plain(path), "rb", buffering=0), CONTENT),
    "writable": (lambda path: open(plain(path), "r+b"), CONTENT),
    "written to": (written_to, CONTENT[13:]),
    "temporary": (named, CONTENT[7:]),
}
READ: dict[str, tuple[Callable[[Path], Any], bytes]] = {
    "compressed": (compressed, CONTENT),
    "kernel's": (lambda _path: open("/proc/version", "rb"), Path("/proc/version").read_bytes()),
    "kernel's with a size": (lambda _path: open(SYSFS, "rb"), Path(SYSFS).read_bytes()),
    "memory": (lambda _path: io.BytesIO(CONTENT), CONTENT),
    "subclass": (lambda path: Shouting(io.FileIO(plain(path))), CONTENT.upper()),
    "wrapped": (lambda path: Wrapping(open(plain(path), "rb")), CONTENT),
    "empty": (lambda path: open(path, "w+b"), b""),
}


def answer(file: Callable[[], Any]) -> tuple[int, bytes]:
    """Return status and body of an answer with this file."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file(), 1 << 20)

    with serving(application) as running, running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        status, _fields, body = receive_response(sock)
        return status, body


@pytest.mark.parametrize("kind", SENT)
def test_a_file_is_sent_from_where_it_is(kind: str, tmp_path: Path) -> None:
    make, expected = SENT[kind]
    file = make(tmp_path / "file")
    fd, offset, length = FileWrapper(file).region() or (-1, 0, 0)
    file.close()
    assert fd >= 0
    assert (offset, length) == (len(CONTENT) - len(expected), len(expected))
    assert answer(lambda: make(tmp_path / "file")) == (200, expected)


@pytest.mark.parametrize("kind", READ)
def test_what_is_no_plain_file_is_read(kind: str, tmp_path: Path) -> None:
    make, expected = READ[kind]
    file = make(tmp_path / "file")
    assert FileWrapper(file).region() is None
    file.close()
    if kind == "wrapped":
        expected = bytes(reversed(expected))
    assert answer(lambda: make(tmp_path / "file")) == (200, expected)


@pytest.mark.parametrize("mode", ["r", "wb"])
def test_a_file_that_gives_no_bytes_is_an_error(mode: str, tmp_path: Path) -> None:
    plain(tmp_path / "file")
    assert answer(lambda: open(tmp_path / "file", mode))[0] == 500
