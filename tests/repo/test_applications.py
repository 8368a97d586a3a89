"""The fixture applications themselves are right: wsgiref.validate is silent over each healthy one, without a server.

Runs in pytest's process; Django, which is configured once per process, runs in one of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import busy_app
import crashing_app
import flask_app
import gated_app
import hello_app
import identity_app
import leaking_app
import misbehaving_app
import pytest
import slow_app
import streaming_app
import uploading_app
from support.gate import Gate
from support.validated import call

APPS = Path(__file__).parents[1] / "apps"
BODY = b"a body\nof three lines\nand 200000 bytes" + b"." * 200_000


@pytest.mark.parametrize(
    "application",
    [hello_app.application, hello_app.create_app(), flask_app.application, slow_app.application, busy_app.application],
)
def test_plain_answers(application: Any) -> None:
    status, _headers, body = call(application, "/")
    assert status == "200 OK"
    assert body


@pytest.mark.parametrize("path", ["/list", "/one", "/generator", "/empty-blocks", "/file", "/close", "/write"])
def test_streams(path: str) -> None:
    status, headers, body = call(streaming_app.application, path)
    assert status == "200 OK"
    assert body == b"".join(streaming_app.LINES)
    assert int(headers.get("Content-Length", len(body))) == len(body)


def test_close_is_counted() -> None:
    before = int(call(streaming_app.application, "/closed")[2])
    call(streaming_app.application, "/close")
    assert int(call(streaming_app.application, "/closed")[2]) == before + 1


def test_no_content() -> None:
    status, headers, body = call(streaming_app.application, "/none")
    assert (status, headers, body) == ("204 No Content", {}, b"")


@pytest.mark.parametrize("path", ["/blocks", "/lines", "/iterate", "/early"])
def test_uploads(path: str) -> None:
    answer = json.loads(call(uploading_app.application, path, BODY)[2])
    assert answer == {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest(), "error": None}


def test_upload_to_flask() -> None:
    answer = json.loads(call(flask_app.application, "/upload", BODY)[2])
    assert answer == {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}


def test_flask_session_and_failure() -> None:
    _status, headers, body = call(flask_app.application, "/session")
    assert json.loads(body) == {"visits": 1}
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert json.loads(call(flask_app.application, "/session", HTTP_COOKIE=cookie)[2]) == {"visits": 2}
    assert call(flask_app.application, "/fail")[0].startswith("500 ")


def test_leaks_are_counted() -> None:
    answer = json.loads(call(leaking_app.application, "/memory/1")[2])
    assert answer["memory_mib"] == 1
    leaking_app._kept_memory.clear()


def test_burns_processor_time() -> None:
    began = time.thread_time()
    call(busy_app.application, "/20")
    assert time.thread_time() - began >= 0.02


def test_identity_is_complete() -> None:
    answer = json.loads(call(identity_app.application, "/")[2])
    assert answer["uids"] == list(os.getresuid())
    assert answer["pid"] == os.getpid()
    assert set(answer["status"]) == identity_app.WANTED_STATUS
    assert answer["descriptors"]["0"]
    assert json.loads(call(identity_app.application, "/environ")[2])["PATH_INFO"] == "/environ"


def test_gate_announces_and_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gate(tmp_path) as gate:
        monkeypatch.setenv("GATE_DIRECTORY", gate.environment["GATE_DIRECTORY"])
        bodies: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: bodies.append(call(gated_app.application, "/")[2])) for _number in range(3)
        ]
        for thread in threads:
            thread.start()
        assert [gate.wait_arrival() for _thread in threads] == [(os.getpid(), "/")] * 3
        assert bodies == []
        gate.release(2)
        with pytest.raises(TimeoutError):
            gate.wait_arrival(0)
        assert call(gated_app.application, "/open")[2] == str(os.getpid()).encode()
    for thread in threads:  # the third one goes on because the gate is open for good
        thread.join()
    assert len(bodies) == 3
    assert call(gated_app.application, "/body")[2] == b"first half, second half\n"


def test_crashing_application_is_healthy_at_its_root() -> None:
    assert call(crashing_app.application, "/")[2] == str(os.getpid()).encode()


def test_offences_are_listed() -> None:
    """Thirty and more, of three kinds, and a healthy path beside them."""
    listed = json.loads(call(misbehaving_app.application, "/")[2])
    assert len(listed) >= 30
    assert set(listed.values()) == {"500", "cut", "ok"}
    assert call(misbehaving_app.application, "/healthy")[2] == b"fine"


DJANGO = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from support.validated import call
from django_site.wsgi import application
status, headers, body = call(application, "/")
assert status == "200 OK" and body.count(b"<article") == 20 and b"Some &lt;text&gt;" in body, body
status, headers, body = call(application, "/visit")
cookie = headers["Set-Cookie"].strip().partition(";")[0]
assert json.loads(call(application, "/visit", HTTP_COOKIE=cookie)[2]) == {"visits": 2}
form = dict(CONTENT_TYPE="application/x-www-form-urlencoded")
assert call(application, "/keep", b"title=one&text=two", **form)[0] == "201 Created"
assert json.loads(call(application, "/count")[2])["entries"] == 21
assert call(application, "/fail")[0].startswith("500 ")
"""


def test_django_site(tmp_path: Path) -> None:
    environ = {**os.environ, "SITE_DATABASE": str(tmp_path / "site.sqlite3")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DJANGO, str(APPS.parent), str(APPS)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("loading.raising", "ConnectionRefusedError: the database of the fixture is not there"),
        ("loading.exiting", 0),
        ("loading.leaving", 3),
        ("loading.segfaulting", -11),
        ("broken.syntax_error", "SyntaxError"),
        ("loading.no_callable", 0),
    ],
)
def test_modules_fail_to_load_as_told(module: str, expected: str | int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(APPS)!r}); import {module}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if isinstance(expected, str):
        assert done.returncode == 1
        assert expected in done.stderr
    else:
        assert done.returncode == expected


@pytest.mark.parametrize("name", ["hello.wsgi", "latin1.wsgi"])
def test_scripts(name: str) -> None:
    namespace: dict[str, Any] = {"__name__": "script"}
    exec(compile((APPS / "scripts" / name).read_bytes(), name, "exec"), namespace)
    status, headers, body = call(namespace["application"], "/x")
    assert status == "200 OK"
    assert int(headers["Content-Length"]) == len(body)
