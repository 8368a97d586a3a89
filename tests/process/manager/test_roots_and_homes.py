"""`chroot` and `home`: what is looked for in the root directory of a group, and what the default home gives way to."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from support.manager import ManagerUnderTest

SOURCE = """
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr((os.getcwd(), os.path.exists("/etc/passwd"))).encode()]
"""


@pytest.fixture
def jail(manager: ManagerUnderTest) -> Path:
    jail = manager.base / "jail"
    (jail / "srv").mkdir(parents=True)
    (jail / "srv/app.wsgi").write_text(SOURCE)
    return jail


def furnish(jail: Path) -> None:
    """What an interpreter reads after its start: its library and, in a venv, that."""
    library = Path(os.__file__).parent
    big = shutil.ignore_patterns(
        "test*", "idlelib", "tkinter", "site-packages", "dist-packages", "__pycache__", "config-*"
    )
    shutil.copytree(library, jail / library.relative_to("/"), ignore=big, symlinks=True)
    if sys.prefix != sys.base_prefix:
        venv = jail / Path(sys.prefix).relative_to("/")
        (venv / "lib" / library.name / "site-packages").mkdir(parents=True)
        shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
        (venv / "bin").mkdir()
        (venv / "bin/python").touch(0o755)


def group(port: int, jail: Path, more: str = "") -> str:
    return f'[groups.a]\nscript = "/srv/app.wsgi"\nlisten = ["127.0.0.1:{port}"]\nchroot = "{jail}"\n{more}\n'


@pytest.mark.root
@pytest.mark.parametrize(("home", "cwd"), [("", "/"), ('home = "/srv"', "/srv")])
def test_a_script_is_looked_for_in_the_root_directory(
    manager: ManagerUnderTest, jail: Path, home: str, cwd: str
) -> None:
    port = manager.port()
    furnish(jail)
    text = group(port, jail, f'user = "nobody"\n{home}')
    checked = manager.cli("validate", str(manager.write(text)))
    assert (checked.returncode, "WG0608" in checked.stdout) == (0, False), checked.stdout
    manager.apply(text)
    assert manager.get(port) == (200, repr((cwd, False)).encode())
    (jail / "srv/app.wsgi").unlink()
    assert f"there is no file {jail}/srv/app.wsgi" in manager.cli("validate", str(manager.write(text))).stdout


@pytest.mark.ordinary
def test_an_ordinary_user_has_nobody_run_outside_of_a_jail(manager: ManagerUnderTest, jail: Path) -> None:
    text = group(manager.port(), jail)
    assert "WG0642" in manager.cli("validate", str(manager.write(text))).stdout
    done = manager.apply(text, code=1)
    assert f"cannot use the chroot {jail} of group 'a': only a manager that runs as root can" in done.stderr


@pytest.mark.root
def test_a_user_without_a_home_directory_has_the_root_and_plan_says_so(manager: ManagerUnderTest) -> None:
    """That of nobody is /nonexistent in Debian."""
    port, script = manager.port(), manager.base / "app.wsgi"
    script.write_text(SOURCE)
    text = f'[groups.a]\nscript = "{script}"\nlisten = ["127.0.0.1:{port}"]\nuser = "nobody"\n'
    planned = manager.cli("plan", str(manager.write(text))).stderr
    nowhere = os.path.expanduser("~nobody")
    assert f"home is /: there is no directory {nowhere}, the home directory of its user" in " ".join(planned.split())
    manager.apply(text)
    assert manager.get(port) == (200, repr(("/", True)).encode())
