"""The applications of the quickstart, called without a server: they keep to PEP 3333 and need no set-up.

The server side of it is `make try`, which CI runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.tree import ROOT
from support.validated import call

QUICKSTART = ROOT / "sample-configs" / "quickstart"


def run_notes(directory: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code with the notes project on the path and its files in the directory."""
    return subprocess.run(
        [sys.executable, "-c", code, str(QUICKSTART), str(ROOT / "tests")],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "django_notes.settings", "NOTES_DIRECTORY": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_greeting() -> None:
    sys.path.insert(0, str(QUICKSTART))
    try:
        from flask_hello.app import create_app
    finally:
        sys.path.remove(str(QUICKSTART))
    assert call(create_app(), "/")[2] == b"Hello from Flask.\n"
    assert json.loads(call(create_app(), "/process")[2])["pid"] == os.getpid()


def test_notes_make_their_database_and_keep_notes(tmp_path: Path) -> None:
    code = """
import sys
sys.path[:0] = sys.argv[1:3]
from support.validated import call
from django_notes.wsgi import application
from django_notes.models import Note
host = {"HTTP_HOST": "127.0.0.1"}
status, headers, page = call(application, "/", **host)
assert status == "200 OK" and b"None yet." in page and b"Visit 1 " in page, page
assert call(application, "/", b"text=x", CONTENT_TYPE="application/x-www-form-urlencoded", **host)[0][:3] == "403"
Note.objects.create(text="<b>kept")
assert b"&lt;b&gt;kept" in call(application, "/", **host)[2]
"""
    done = run_notes(tmp_path / "notes", code)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "notes" / "secret").stat().st_mode & 0o777 == 0o600


def test_notes_use_one_secret(tmp_path: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); from django_notes import settings; print(settings.SECRET_KEY)"
    secrets = {run_notes(tmp_path, code).stdout for _process in range(2)}
    assert len(secrets) == 1
    assert len(secrets.pop()) > 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


@pytest.mark.root
def test_notes_refuse_a_directory_of_somebody_else(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    done = run_notes(tmp_path, "import sys; sys.path.insert(0, sys.argv[1]); import django_notes.settings")
    assert "it belongs to somebody else" in done.stderr
