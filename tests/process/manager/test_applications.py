"""Real applications through the whole chain: Flask, Django with SQLite and sessions, streams and uploads, validated."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
import streaming_app
import validated_apps
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest

BODY = b"".join(streaming_app.LINES)


class Browser:
    """One keep-alive connection with a cookie jar of one cookie line."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookie = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        if self._cookie:
            headers["Cookie"] = self._cookie
        chunked = body is not None and not isinstance(body, (bytes, str))
        self._connection.request(method, path, body, headers, encode_chunked=chunked)
        response = self._connection.getresponse()
        cookie = response.getheader("Set-Cookie")
        if cookie:
            self._cookie = cookie.split(";")[0]
        return response

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return json.loads(self.ask(method, path, body, **headers).read())

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def browser(port: int) -> Iterator[Browser]:
    made = Browser(port)
    try:
        yield made
    finally:
        made.close()


def group(app: str, port: int, extra: str = "") -> str:
    return f'[groups.a]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{extra}\n'


def test_flask(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("flask_app:create_app()", port, "threads = 3"))
    upload = b"0123456789abcdef" * 65536
    with browser(port) as user:
        assert user.ask("GET", "/").read() == b"Hello from Flask\n"
        assert user.json("POST", "/json?a=1", b'{"x": [1]}', **{"Content-Type": "application/json"}) == {
            "method": "POST", "json": {"x": [1]}, "arguments": {"a": "1"},
        }  # fmt: skip
        assert user.ask("GET", "/stream").read().count(b"\n") == 100
        assert user.json("POST", "/upload", upload) == {
            "size": len(upload), "sha256": hashlib.sha256(upload).hexdigest(),
        }  # fmt: skip
        for _ in range(3):
            user.ask("GET", "/session").read()
        failed = user.ask("GET", "/fail")
        assert failed.status == 500
        failed.read()
        assert user.ask("GET", "/").status == 200
    manager.expect_in_log("a view of the fixture failed on purpose", times=1)


def test_django_sessions_are_one_over_two_processes(manager: ManagerUnderTest) -> None:
    port = manager.port()
    database = manager.base / "database"
    database.mkdir()
    database.chmod(0o777)
    settings = (
        'processes = 2\nenvironment.DJANGO_SETTINGS_MODULE = "django_site.settings"\n'
        f'environment.SITE_DATABASE = "{database}/site.db"'
    )
    manager.apply(group("django_site.wsgi:application", port, settings))
    with browser(port) as user:
        page = user.ask("GET", "/")
        assert page.status == 200
        assert b"<" in page.read()
        visits = [user.json("GET", "/visit")["visits"] for _ in range(3)]
        kept = user.ask("POST", "/keep", "title=one&text=two", **{"Content-Type": "application/x-www-form-urlencoded"})
        assert kept.status == 201
        kept.read()
        # every process is a new one now; what the database keeps is still there
        assert manager.cli("restart", "a").returncode == 0
    with browser(port) as other:
        other._cookie = user._cookie
        visits += [other.json("GET", "/visit")["visits"]]
    assert visits == [1, 2, 3, 4]


@pytest.mark.parametrize("path", ["/list", "/generator", "/one", "/write", "/file", "/empty-blocks"])
def test_streaming_in_every_shape(manager: ManagerUnderTest, path: str) -> None:
    port = manager.port()
    manager.apply(group("validated_apps:application", port))
    with browser(port) as user:
        for _ in range(2):  # the second on the same connection: the first one's end was exact
            answer = user.ask("GET", "/streaming" + path)
            assert answer.status == 200
            assert answer.read() == BODY
        head = user.ask("HEAD", "/streaming" + path)
        assert head.status == 200
        assert head.read() == b""
        none = user.ask("GET", "/streaming/none")
        assert (none.status, none.read()) == (204, b"")
    assert "AssertionError" not in manager.log("a")


def test_uploading_in_every_way_under_the_validator(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("validated_apps:application", port))
    small, large = b"one line\n" * 10, b"another line\n" * 400_000
    with browser(port) as user:
        for path in ("/blocks", "/lines", "/iterate"):
            for body in (small, large):
                expected = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "error": None}
                assert user.json("POST", "/uploading" + path, body, **{"Content-Type": "text/plain"}) == expected
                blocks = iter([body[: len(body) // 2], body[len(body) // 2 :]])
                chunked = user.json("POST", "/uploading" + path, blocks, **{"Content-Type": "text/plain"})
                assert chunked == expected
        continued = user.json(
            "POST", "/uploading/blocks", small, Expect="100-continue", **{"Content-Type": "text/plain"}
        )
        assert continued["size"] == len(small)
        assert user.ask("GET", "/hello/").status == 200
    assert "AssertionError" not in manager.log("a")


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PLAIN = {"Content-Type": "text/plain"}
REQUESTS: list[tuple[str, str, bytes | None, dict[str, str]]] = [
    ("GET", "/bulk/down?3000000", None, {}),
    ("GET", "/bulk/file?{file}", None, {}),
    ("POST", "/bulk/up", b"y" * 3_000_000, PLAIN),
    ("GET", "/busy/5", None, {}),
    ("GET", "/counted/7", None, {}),
    ("GET", "/crashing/pid", None, {}),
    ("GET", "/django/", None, {}),
    ("GET", "/django/visit", None, {}),
    ("POST", "/django/keep", b"title=one&text=two", FORM),
    ("GET", "/django/count", None, {}),
    ("GET", "/flask/", None, {}),
    ("POST", "/flask/json?a=1", b'{"x": [1]}', {"Content-Type": "application/json"}),
    ("GET", "/flask/stream", None, {}),
    ("POST", "/flask/upload", b"z" * 300_000, PLAIN),
    ("GET", "/flask/session", None, {}),
    ("GET", "/denying/", None, {}),
    ("POST", "/denying/", b"a body", PLAIN),
    ("GET", "/gated/open", None, {}),
    ("GET", "/gated/body", None, {}),
    ("GET", "/hello/", None, {}),
    ("GET", "/hoarding/", None, {}),
    ("GET", "/identity/", None, {}),
    ("GET", "/identity/environ?a=%20b", None, {"Cookie": "a=1; b=2", "Accept": "*/*"}),
    ("GET", "/identity/try", None, {}),
    ("GET", "/leaking/memory/1", None, {}),
    ("GET", "/leaking/files/1", None, {}),
    ("GET", "/lasting/", None, {}),
    ("GET", "/leaving/one", None, {}),
    ("GET", "/live_facts/", None, {}),
    ("POST", "/noisy/", b"line\n" * 10, PLAIN),
    ("GET", "/printing/x", None, {}),
    ("POST", "/leaving/reading", b"a body", PLAIN),
    ("POST", "/leaving/begun", b"a body", PLAIN),
    ("GET", "/reporting/x;y?q", None, {}),
    ("POST", "/reporting/", b"a body", PLAIN),
    ("GET", "/slow/0.01/0.01", None, {}),
    ("GET", "/streaming/close", None, {}),
    ("GET", "/streaming/closed", None, {}),
    ("GET", "/streaming/write", None, {}),
    ("GET", "/counting/", None, {}),
    ("GET", "/traced/", None, {}),
    ("POST", "/uploading/blocks", b"line\n" * 100_000, PLAIN),
    ("POST", "/uploading/early", b"line\n" * 10, PLAIN),
    ("POST", "/uploading/read", b"line\n" * 10, PLAIN),
    ("POST", "/uploading/ignore", b"line\n" * 10, PLAIN),
    ("GET", "/forking/", None, {}),  # last: its children wait at the same gate
]
# On purpose: tests/process/serving asks the first for each of its offences, tests/security the next two, and the mold;
# and the last changes the standard library of its whole process.
MISBEHAVE = {
    "misbehaving_app",
    "conforming_app",
    "hasty_app",
    "hostile_app",
    "mold_app",
    "patched_app",
}  # the second when asked to


def test_every_well_behaved_application_is_validated() -> None:
    modules = {path.stem for path in APPS.glob("*_app.py")} | {"django_site.wsgi"}
    assert set(validated_apps.MODULES.values()) == modules - MISBEHAVE
    assert {path.split("/")[1] for _method, path, _body, _headers in REQUESTS} == set(validated_apps.MODULES)


def test_the_validator_is_silent_over_all_applications(manager: ManagerUnderTest) -> None:
    """Each with GET and HEAD, or POST with a length and in chunks; what the validator says or warns of is a 500."""
    port, database = manager.port(), manager.base / "database"
    database.mkdir()
    database.chmod(0o777)
    large = manager.base / "large"
    large.write_bytes(b"x" * 3_000_000)
    calls = manager.base / "calls"
    calls.touch()
    calls.chmod(0o666)
    with Gate(manager.base) as gate:
        environment = {
            **gate.environment, "SITE_DATABASE": f"{database}/site.db", "CALLS": str(calls),
            "DJANGO_SETTINGS_MODULE": "django_site.settings",
        }  # fmt: skip
        lines = "".join(f'environment.{name} = "{value}"\n' for name, value in environment.items())
        manager.apply(group("validated_apps:application", port, lines))
        with browser(port) as user:
            for method, path, body, headers in REQUESTS:
                shapes: list[tuple[str, Any]] = [(method, body)]
                shapes += [("HEAD", None)] if body is None else [("POST", iter([body[:1], body[1:]]))]
                for verb, content in shapes:
                    gate.release(path == "/gated/body")
                    answer = user.ask(verb, path.format(file=large), content, **headers)
                    received = answer.read()
                    assert answer.status in (200, 201, 401), (verb, path, received, manager.log("a"))
                    assert bool(received) == (verb != "HEAD"), (verb, path)
    assert "Warning" not in manager.log("a")
