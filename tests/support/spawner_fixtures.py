"""Fixtures for tests with a real spawner: an accessible directory, interpreters, a manager, and what must hold after.

Imported by the conftest.py of each directory that uses them.
"""

from __future__ import annotations

import gc
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.interpreters import Accessible
from support.processes import Manager, open_descriptors
from support.users import ALICE

import wsgigroups.runtime
from wsgigroups.runtime.wire.spec import Application

__all__ = ["bootstrap", "manager", "managers", "script", "workspace"]


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[Path]:
    """`runtime/` alone in a directory of its own: nothing else of ours lies beside it."""
    directory = Path(tempfile.mkdtemp(prefix="wsgigroups-runtime-"))
    directory.chmod(0o755)
    source = Path(wsgigroups.runtime.__file__).parent
    shutil.copytree(source, directory / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    yield directory / "runtime" / "spawner" / "__main__.py"
    shutil.rmtree(directory)


@pytest.fixture
def workspace() -> Iterator[Path]:
    """A directory that every user may enter; tmp_path is for one user alone."""
    directory = Path(tempfile.mkdtemp(prefix="wsgigroups-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def managers(workspace: Path, interpreters: Accessible, bootstrap: Path) -> Iterator[Callable[..., Manager]]:
    """Make managers of spawners that are not started yet; afterwards nothing of them is left."""
    gc.collect()
    before = open_descriptors()
    made: list[Manager] = []

    def make(version: str = sysconfig.get_python_version(), key: str = "test") -> Manager:
        made.append(Manager(workspace, interpreters.get(version), bootstrap, key))
        return made[-1]

    yield make
    for manager in made:
        manager.end()
    gc.collect()
    assert open_descriptors() == before


@pytest.fixture
def manager(managers: Callable[..., Manager]) -> Manager:
    """A manager of a running spawner with the interpreter of the tests."""
    made = managers()
    made.start()
    return made


@pytest.fixture
def script(workspace: Path) -> Callable[..., Application]:
    """Write a script that belongs to the tenant; returns the application it makes."""

    def write(source: str, name: str = "app.wsgi", mount: str = "/") -> Application:
        path = workspace / name
        path.write_text(source)
        if os.geteuid() == 0:
            os.chown(path, ALICE, ALICE)
        return Application("script", str(path), mount=mount)

    return write
