"""Flask and Django on every Python of this machine: real applications in an environment of that version."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from support import frameworks
from support.interpreters import VERSIONS, Accessible, present
from support.manager import APPS, ManagerUnderTest

DJANGO = "django_site.wsgi:application"


@pytest.fixture(params=present())
def version(request: pytest.FixtureRequest) -> str:
    """One of the versions of this machine."""
    return str(request.param)


def environment(manager: ManagerUnderTest, interpreters: Accessible, version: str) -> Path:
    """An environment as `python -m venv` makes it, with the packages that were installed once for its version."""
    home = manager.base / "venv"
    subprocess.run([interpreters.get(version), "-m", "venv", "--without-pip", home], check=True, timeout=60)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "frameworks.pth").write_text(f"{frameworks.installed(version)}\n")
    return home


def test_flask_and_django(manager: ManagerUnderTest, interpreters: Accessible, version: str) -> None:
    home, database = environment(manager, interpreters, version), manager.base / "database"
    database.mkdir()
    database.chmod(0o777)
    flask, django = manager.port(), manager.port()
    common = f'python-home = "{home}"\npython-path = ["{APPS}"]\nthreads = 3\n'
    manager.apply(
        f'[groups.flask]\napp = "flask_app:create_app()"\nlisten = ["127.0.0.1:{flask}"]\n{common}'
        f'[groups.django]\napp = "{DJANGO}"\nlisten = ["127.0.0.1:{django}"]\nprocesses = 2\n{common}'
        f'environment = {{ SITE_DATABASE = "{database}/site.db", DJANGO_SETTINGS_MODULE = "django_site.settings" }}\n'
    )
    for group in manager.status()["groups"]:
        assert group["python"].startswith(f"{version}."), group
    assert manager.get(flask) == (200, b"Hello from Flask\n")
    assert manager.get(flask, "/stream")[1].count(b"\n") == 100
    assert json.loads(manager.get(flask, "/json?a=1")[1])["arguments"] == {"a": "1"}
    status, page = manager.get(django)
    assert (status, page.count(b"<article")) == (200, 20)
    assert json.loads(manager.get(django, "/visit")[1]) == {"visits": 1}
    assert manager.cli("restart", "flask", "django").returncode == 0
    assert json.loads(manager.get(django, "/count")[1]) == {"entries": 20}
    assert manager.get(flask)[0] == 200


@pytest.mark.root
def test_the_versions_of_ci_are_all_here() -> None:
    if os.environ.get("CI"):
        assert set(VERSIONS) <= set(present())
