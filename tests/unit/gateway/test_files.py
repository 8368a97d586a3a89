"""Static files on a real directory: nothing outside of it, nothing but files, and what a client is told of one.

Each test runs with openat2(2) and with the walk that takes its place on older kernels.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.runtime.gateway import files, http_dates
from wsgigroups.runtime.gateway.files import FileAnswer, Opener

BODY = b"body { }\n" * 20
LONG_AGO_S = 784111777


@pytest.fixture(params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(files, "OPENER", Opener(beneath=request.param == "openat2"))
    return str(request.param)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory of files, in another one that has what nobody may see."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    top = tmp_path / "top"
    (top / "sub" / "deep").mkdir(parents=True)
    (top / "site.css").write_bytes(BODY)
    (top / "index.html").write_bytes(b"<p>top</p>")
    (top / "sub" / "index.html").write_bytes(b"<p>sub</p>")
    (top / "sub" / "a b&c.txt").write_bytes(b"text")
    (top / "sub" / "\u00e9.txt").write_bytes(b"utf-8")
    (top / "empty").write_bytes(b"")
    (top / ".env").write_bytes(b"SECRET=1")
    (top / ".git").mkdir()
    (top / ".git" / "config").write_bytes(b"secret")
    (top / "sub" / ".hidden").write_bytes(b"secret")
    (top / "out").symlink_to("../secret")
    (top / "outside").symlink_to("../outside")
    (top / "up").symlink_to("..")
    (top / "absolute").symlink_to(top / "site.css")
    (top / "loop").symlink_to("loop")
    (top / "nowhere").symlink_to("missing")
    (top / "magic").symlink_to("/proc/self/exe")
    (top / "inside").symlink_to("site.css")
    (top / "around").symlink_to("sub/deep/../../site.css")
    (top / "around and out").symlink_to("../top/site.css")
    os.mkfifo(top / "fifo")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        here = os.open(".", os.O_RDONLY)
        os.chdir(top)  # paths of sockets are short
        try:
            sock.bind("socket")
        finally:
            os.chdir(here)
            os.close(here)
    os.utime(top / "site.css", (LONG_AGO_S, LONG_AGO_S))
    return top


@pytest.fixture
def asked(top: Path) -> Iterator[Any]:
    """Return a function: path, fields and so on → answer and body. Descriptors that are left open fail the test."""
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)

    def ask(path: str, method: str = "GET", index: str = "index.html", **fields: str) -> tuple[FileAnswer, bytes]:
        environ = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
        environ.update(REQUEST_METHOD=method, SCRIPT_NAME="/static", PATH_INFO=path, QUERY_STRING="")
        answer = files.answer(directory, path, environ, index)
        if answer.fd < 0:
            assert (answer.offset, answer.length) == (0, 0)
            return answer, b""
        try:
            assert os.get_inheritable(answer.fd) is False
            return answer, os.pread(answer.fd, answer.length, answer.offset)
        finally:
            os.close(answer.fd)

    yield ask
    os.close(directory)
    assert [path for path in opened() if path.startswith(str(top.parent))] == []


def opened() -> list[str]:
    """What the descriptors of this process lead to."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found


OUTSIDE = [
    "/..",
    "/../",
    "/../secret",
    "/sub/../../secret",
    "/sub/..",
    "/./site.css",
    "/..%2fsecret",  # where somebody has decoded once too little
    "/%2e%2e/secret",
    "/\\..\\secret",
    "/..\\secret",
    "/...",
    "/.env",
    "/.git",
    "/.git/",
    "/.git/config",
    "/sub/.hidden",
    "/sub/.",
    "/site.css\0",
    "/site.css\0.txt",
    "/\0",
    "/out",
    "/outside/secret",
    "/outside",
    "/outside/",
    "/up/secret",
    "/up/top/site.css",
    "/absolute",
    "/around and out",
    "/magic",
    "/loop",
    "/loop/",
    "/nowhere",
    "/fifo",
    "/fifo/",
    "/socket",
    "/site.css/",
    "/site.css/more",
    "/missing",
    "/missing/",
    "/sub/deep/",
    "/" + "x" * 300,
    "/" + "x/" * 3000,
    "/\u0100",
    "/\udc80",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_is_not_served(asked: Any, way: str, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert asked(path, method)[0] == FileAnswer(404, [])


@pytest.mark.parametrize("name", ["null", "zero", "tty", "stdin", "fd/0"])
def test_no_device_is_read(way: str, name: str) -> None:
    devices = os.open("/dev", os.O_RDONLY | os.O_DIRECTORY)
    try:
        answer = files.answer(devices, "/" + name, {"REQUEST_METHOD": "GET"})
        assert answer.status in (403, 404)
        assert answer.fd < 0
    finally:
        os.close(devices)


@pytest.mark.parametrize("path", ["/inside", "/around"])
def test_links_to_what_is_inside(asked: Any, way: str, path: str) -> None:
    assert asked(path)[0].status == (200 if way == "openat2" else 404)


def test_a_file(asked: Any, way: str, top: Path) -> None:
    answer, body = asked("/site.css")
    found = (top / "site.css").stat()
    assert (answer.status, body) == (200, BODY)
    assert dict(answer.fields) == {
        "Content-Type": "text/css",
        "Vary": "Accept-Encoding",
        "ETag": f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"',
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(BODY)),
    }
    head, nothing = asked("/site.css", "HEAD")
    assert (head.status, head.fields, nothing) == (200, answer.fields, b"")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b"<p>top</p>"),
        ("/sub/", b"<p>sub</p>"),
        ("//sub//index.html", b"<p>sub</p>"),
        ("/sub/a b&c.txt", b"text"),
        ("/sub/\u00e9.txt".encode().decode("latin-1"), b"utf-8"),
        ("/empty", b""),
    ],
)
def test_names(asked: Any, way: str, path: str, body: bytes) -> None:
    answer, found = asked(path)
    assert (answer.status, found) == (200, body)


@pytest.mark.parametrize("path", ["/", "/sub/", "/sub", ""])
def test_without_an_index_a_directory_is_nothing(asked: Any, way: str, path: str) -> None:
    assert asked(path, index="")[0] == FileAnswer(404, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "PROPFIND"])
def test_other_methods(asked: Any, way: str, method: str) -> None:
    assert asked("/site.css", method)[0] == FileAnswer(405, [("Allow", "GET, HEAD")])
    assert asked("/missing", method)[0].status == 405


@pytest.mark.parametrize(
    ("script_name", "path", "query", "location"),
    [
        ("/static", "/sub", "", "/static/sub/"),
        ("/static", "/sub", "a=b&c=%20", "/static/sub/?a=b&c=%20"),
        ("/static", "", "", "/static/"),
        ("", "/sub", "", "/sub/"),
        ("", "//sub", "", "/sub/"),
        ("", "/////sub", "", "/sub/"),
        ("", "", "a", "/?a"),
        ("/\xc3\xa9 x", "/sub", "", "/%C3%A9%20x/sub/"),
        ("/a\r\nb", "/sub", "", "/a%0D%0Ab/sub/"),
        ("/\\evil.example", "/sub", "", "/%5Cevil.example/sub/"),
        ("/a?b#c%", "/sub", "", "/a%3Fb%23c%25/sub/"),
    ],
)
def test_a_directory_without_its_slash(top: Path, script_name: str, path: str, query: str, location: str) -> None:
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": script_name, "PATH_INFO": path, "QUERY_STRING": query}
        assert files.answer(directory, path, environ, "index.html") == FileAnswer(301, [("Location", location)])
        routed = dict(environ, SCRIPT_NAME="", PATH_INFO=script_name + path)
        assert files.answer(directory, path, routed, "index.html").fields == [("Location", location)]
    finally:
        os.close(directory)


def test_parts(asked: Any, way: str) -> None:
    answer, body = asked("/site.css", range="bytes=5-8")
    assert (answer.status, body) == (206, BODY[5:9])
    fields = dict(answer.fields)
    assert (fields["Content-Range"], fields["Content-Length"]) == (f"bytes 5-8/{len(BODY)}", "4")
    assert {"ETag", "Last-Modified", "Content-Type", "Vary"} < fields.keys()
    assert asked("/site.css", range="bytes=-3")[1] == BODY[-3:]
    assert asked("/site.css", range="bytes=0-1,3-4")[1] == BODY
    assert asked("/site.css", range="bytes=5-8", if_range=fields["ETag"])[1] == BODY[5:9]
    assert asked("/site.css", range="bytes=5-8", if_range='"other"')[1] == BODY
    nothing = asked("/site.css", range="bytes=9999-")[0]
    assert nothing == FileAnswer(416, [("Content-Range", f"bytes */{len(BODY)}"), ("Accept-Ranges", "bytes")])
    assert asked("/site.css", "HEAD", range="bytes=5-8")[0].status == 200  # RFC 9110 section 14.2: GET alone


def test_what_a_client_has(asked: Any, way: str) -> None:
    fields = dict(asked("/site.css")[0].fields)
    for known in ({"if_none_match": fields["ETag"]}, {"if_modified_since": fields["Last-Modified"]}):
        for method in ("GET", "HEAD"):
            answer = asked("/site.css", method, **known)[0]
            assert answer == FileAnswer(304, [("ETag", fields["ETag"]), ("Vary", "Accept-Encoding")])
    assert asked("/site.css", if_match='"other"')[0] == FileAnswer(412, [])
    assert asked("/site.css", if_none_match=fields["ETag"], range="bytes=0-0")[0].status == 304
    assert asked("/missing", if_none_match="*")[0].status == 404


def test_a_change_changes_the_tag(asked: Any, way: str, top: Path) -> None:
    tags = {dict(asked("/site.css")[0].fields)["ETag"]}
    os.utime(top / "site.css", ns=(1, LONG_AGO_S * 10**9 + 1))
    tags.add(dict(asked("/site.css")[0].fields)["ETag"])
    (top / "new").write_bytes(BODY)
    os.utime(top / "new", ns=(1, LONG_AGO_S * 10**9 + 1))
    (top / "new").replace(top / "site.css")
    tags.add(dict(asked("/site.css")[0].fields)["ETag"])
    assert len(tags) == 3


@pytest.mark.parametrize("second", [-(10**9), -1, 0])
def test_times_before_the_epoch(asked: Any, way: str, top: Path, second: int) -> None:
    os.utime(top / "site.css", (second, second))
    assert dict(asked("/site.css")[0].fields)["Last-Modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_a_file_of_the_future_was_modified_now(asked: Any, way: str, top: Path) -> None:
    before = int(time.time())
    os.utime(top / "site.css", (4e9, 4e9))
    said = http_dates.read(dict(asked("/site.css")[0].fields)["Last-Modified"])
    assert said is not None
    assert before <= said <= time.time()


@pytest.fixture
def compressed(top: Path) -> Path:
    """Copies, some of which are none."""
    (top / "site.css.br").write_bytes(b"brotli")
    (top / "site.css.gz").write_bytes(b"gzip")
    (top / "sub" / "index.html.gz").write_bytes(b"gzip of sub")
    (top / "index.html.br").mkdir()
    (top / "index.html.gz").symlink_to("../secret")
    os.mkfifo(top / "empty.gz")
    (top / "only.js.gz").write_bytes(b"gzip")
    (top / "photo.png").write_bytes(b"png")
    (top / "photo.png.gz").write_bytes(b"gzip")
    return top


@pytest.mark.parametrize(
    ("path", "accepted", "status", "body", "coding"),
    [
        ("/site.css", "gzip, deflate, br", 200, b"brotli", "br"),
        ("/site.css", "gzip", 200, b"gzip", "gzip"),
        ("/site.css", "gzip, br;q=0", 200, b"gzip", "gzip"),
        ("/site.css", "deflate", 200, BODY, None),
        ("/site.css", "", 200, BODY, None),
        ("/sub/", "br, gzip", 200, b"gzip of sub", "gzip"),
        ("/", "br, gzip", 200, b"<p>top</p>", None),
        ("/empty", "gzip", 200, b"", None),
        ("/only.js", "gzip", 404, b"", None),
        ("/only.js.gz", "", 200, b"gzip", None),
        ("/photo.png", "gzip", 200, b"png", None),
    ],
)
def test_compressed_copies(
    asked: Any, way: str, compressed: Path, path: str, accepted: str, status: int, body: bytes, coding: str | None
) -> None:
    answer, found = asked(path, accept_encoding=accepted)
    assert (answer.status, found) == (status, body)
    assert dict(answer.fields).get("Content-Encoding") == coding
    if status == 200:
        assert dict(answer.fields)["Content-Length"] == str(len(body))


def test_a_copy_is_another_representation(asked: Any, way: str, compressed: Path) -> None:
    plain = dict(asked("/site.css")[0].fields)
    packed = dict(asked("/site.css", accept_encoding="gzip")[0].fields)
    assert plain["ETag"] != packed["ETag"]
    assert plain["Content-Type"] == packed["Content-Type"] == "text/css"
    assert plain["Vary"] == packed["Vary"] == "Accept-Encoding"
    assert asked("/site.css", accept_encoding="gzip", range="bytes=1-2")[1] == b"zi"
    assert asked("/site.css", accept_encoding="gzip", if_none_match=plain["ETag"])[0].status == 200
    assert "Vary" not in dict(asked("/photo.png")[0].fields)


@pytest.mark.ordinary
def test_a_file_that_may_not_be_read_is_forbidden(asked: Any, way: str, top: Path) -> None:
    (top / "site.css").chmod(0)
    (top / "sub").chmod(0)
    try:
        assert asked("/site.css")[0] == FileAnswer(403, [])
        assert asked("/sub/index.html")[0] == FileAnswer(403, [])
    finally:
        (top / "sub").chmod(0o700)


def test_what_is_wrong_with_the_machine_is_told_apart(monkeypatch: pytest.MonkeyPatch, asked: Any) -> None:
    class Failing(Opener):
        __slots__ = ("number",)

        def open(self, directory_fd: int, name: bytes) -> int:
            raise OSError(self.number, os.strerror(self.number))

    failing = Failing()
    monkeypatch.setattr(files, "OPENER", failing)
    for name, status in (("EMFILE", 503), ("ENOMEM", 503), ("EAGAIN", 503), ("EIO", 500), ("ESTALE", 500)):
        failing.number = getattr(__import__("errno"), name)
        assert asked("/site.css")[0] == FileAnswer(status, [])


@pytest.mark.parametrize(("times", "status"), [(1, 200), (7, 200), (8, 503)])
def test_where_names_are_swapped_all_the_time(
    monkeypatch: pytest.MonkeyPatch, asked: Any, times: int, status: int
) -> None:
    openat2, left = files.kernel.openat2, [BlockingIOError(11, "try again")] * times

    def swapped(*arguments: Any) -> int:
        if left:
            raise left.pop()
        return openat2(*arguments)

    monkeypatch.setattr(files, "OPENER", Opener(beneath=True))
    monkeypatch.setattr(files.kernel, "openat2", swapped)
    assert asked("/site.css")[0].status == status


def test_where_openat2_is_refused_names_are_walked(monkeypatch: pytest.MonkeyPatch, asked: Any) -> None:
    def refused(*_arguments: object) -> int:
        raise PermissionError(1, "by a filter of system calls")

    monkeypatch.setattr(files, "OPENER", Opener())
    monkeypatch.setattr(files.kernel, "openat2", refused)
    assert asked("/site.css")[0].status == 200
    assert asked("/inside")[0].status == 404


def test_a_directory_that_is_swapped_for_a_link_leads_nowhere(asked: Any, way: str, top: Path) -> None:
    """The name is opened below the descriptor, so what the directory is called meanwhile does not matter either."""
    top.rename(top.with_name("moved"))
    top.symlink_to("outside")
    assert asked("/site.css")[1] == BODY
    assert asked("/secret")[0].status == 404
