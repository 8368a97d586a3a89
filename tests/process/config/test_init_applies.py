"""What `init` writes applies as it is; what `config show` prints changes nothing; a broken file touches nothing."""

from __future__ import annotations

import contextlib
import errno
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

from wsgigroups.config import load


@pytest.fixture
def only_one_looking_for_a_port() -> Iterator[None]:
    """From the look of `init` for a free port until the port is in use, no other run of the tests may look.

    The passes of root and of an ordinary account run at the same time, on one loopback interface.
    """
    with socket.socket(socket.AF_UNIX) as turn:
        while not _bound(turn, "\0wsgigroups-tests-init"):
            with socket.socket(socket.AF_UNIX) as waiting, contextlib.suppress(ConnectionError):
                waiting.settimeout(100)
                waiting.connect("\0wsgigroups-tests-init")
                waiting.recv(1)  # ends when the holder closes
        turn.listen()
        yield


def _bound(sock: socket.socket, address: str) -> bool:
    try:
        sock.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


MANAGE = """\
#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""
SETTINGS = """\
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
"""
URLS = """\
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("Hello from Django"))]
"""
WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_wsgi_application()
"""
FACTORY = """\
from flask import Flask


def create_app(configuration=None):
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "Hello from a factory")
    return app
"""
# what a project looks like: file → its text, or the test application that it is a copy of
DJANGO = {"manage.py": MANAGE, "mysite/__init__.py": "", "mysite/settings.py": SETTINGS, "mysite/urls.py": URLS}
DJANGO["mysite/wsgi.py"] = WSGI
PROJECTS: dict[str, tuple[dict[str, str | Path], str, bytes]] = {
    "flask object": ({"app.py": APPS / "flask_app.py"}, "app:application", b"Hello from Flask"),
    "flask factory": ({"shop/__init__.py": FACTORY}, "shop:create_app()", b"Hello from a factory"),
    "flask factory below src": ({"src/shop/__init__.py": FACTORY}, "shop:create_app()", b"Hello from a factory"),
    "django": ({**DJANGO}, "mysite.wsgi:application", b"Hello from Django"),
    "django below": (
        {f"backend/{name}": text for name, text in DJANGO.items()},
        "mysite.wsgi:application",
        b"Hello from Django",
    ),
    "wsgi module": ({"wsgi.py": APPS / "hello_app.py"}, "wsgi:application", b""),
    "script": ({"hello.wsgi": APPS / "scripts" / "hello.wsgi"}, "hello.wsgi", b""),
}


@pytest.mark.usefixtures("only_one_looking_for_a_port")
@pytest.mark.parametrize(("files", "application", "answer"), PROJECTS.values(), ids=PROJECTS.keys())
def test_init_then_apply(
    manager: ManagerUnderTest, files: dict[str, str | Path], application: str, answer: bytes
) -> None:
    project = manager.base / "project"
    project.mkdir(mode=0o755)
    for name, source in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source) if isinstance(source, str) else shutil.copy(source, path)
    done = manager.cli("init", str(project))
    assert done.returncode == 0, done.stderr
    path = project / "groups.toml"
    # validated against this host, and applied, as it was written
    done = manager.cli("validate", "--strict", str(path))
    assert done.returncode == 0, done.stdout
    done = manager.cli("apply", "--yes", str(path))
    assert done.returncode == 0, done.stderr + manager.log("manager")
    configuration = load([path]).configuration
    assert configuration
    (group,) = configuration.groups.values()
    assert (group.app or group.script or "").endswith(application)
    status, body = manager.get(int(group.listen[0].rpartition(":")[2]))
    assert status == 200
    assert answer in body
    again = manager.base / "again.toml"
    again.write_text(manager.cli("config", "show", "--show-secrets", "-o", "toml", str(path)).stdout)
    assert manager.cli("apply", "--yes", str(again)).stdout.strip() == "No changes."


BROKEN = {
    "syntax": "[groups.blog\n",
    "unknown key": '[groups.blog]\napp = "hello_app:application"\nlisten = ["127.0.0.1:1"]\nthreadz = 1\n',
    "root": '[groups.blog]\napp = "hello_app:application"\nlisten = ["127.0.0.1:1"]\nuser = "root"\n',
    "umask": '[groups.blog]\napp = "hello_app:application"\nlisten = ["127.0.0.1:1"]\numask = 23\n',
    "long socket": '[groups.blog]\napp = "hello_app:application"\nlisten = ["unix:/tmp/' + "x" * 103 + '"]\n',
    "one address twice": '[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n'
    '[groups.b]\napp = "a:a"\nlisten = ["0.0.0.0:1"]\n',
}


def test_a_file_that_is_wrong_touches_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    good = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    manager.apply(good)
    before = manager.pids("blog"), manager.status()["revision"]
    for name, text in BROKEN.items():
        path = manager.write(text, "broken.toml")
        refused = manager.cli("apply", "--yes", str(path))
        checked = manager.cli("validate", "--offline", str(path))
        assert refused.returncode == checked.returncode == 2, name
        assert "error[WG" in refused.stderr
        assert "error[WG" in checked.stdout
        assert "Traceback" not in refused.stderr + checked.stderr
    assert (manager.pids("blog"), manager.status()["revision"]) == before
    assert manager.get(port)[0] == 200
