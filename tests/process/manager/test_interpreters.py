"""Several Python versions in one configuration: each group on the interpreter of its python-home."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.interpreters import ALL_VERSIONS, Accessible, present
from support.manager import APPS, ManagerUnderTest

from wsgigroups.runtime import accelerator


def uses_accelerator(pid: int) -> bool:
    """Tell whether a process has the accelerator loaded."""
    return "/_accelerator.abi3.so" in Path(f"/proc/{pid}/maps").read_text()


def group(name: str, port: int, extra: str) -> str:
    return (
        f'[groups.{name}]\napp = "identity_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f"{extra}\n"
    )


def usable(interpreters: Accessible) -> list[str]:
    """Versions that this account can start; root makes itself a copy where others can enter."""
    versions = []
    for version in present(ALL_VERSIONS):
        with contextlib.suppress(LookupError):
            interpreters.get(version)
            versions.append(version)
    return versions


def as_one(version: str) -> str:
    """The name of that version's group."""
    return "py" + version.replace(".", "")


def test_all_versions_side_by_side(manager: ManagerUnderTest, interpreters: Accessible) -> None:
    versions = usable(interpreters)
    assert versions
    if os.geteuid() == 0 and os.environ.get("CI"):
        assert {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13"} <= set(versions)
    ports = {version: manager.port() for version in versions}
    text = ""
    for version in versions:
        # a virtual environment as `python -m venv` makes it, of an interpreter that everybody can execute
        home = manager.base / f"venv-{version}"
        subprocess.run(
            [str(interpreters.get(version)), "-m", "venv", "--without-pip", str(home)], check=True, timeout=60
        )
        text += group(as_one(version), ports[version], f'python-home = "{home}"')
    manager.apply(text)
    for version in versions:
        seen = manager.identity(ports[version])
        assert ".".join(map(str, seen["version"][:2])) == version
        assert seen["prefix"] == str(manager.base / f"venv-{version}")
        assert not [path for path in seen["sys_path"] if "/runtime" in path]
        assert not [name for name in seen["modules"] if name.startswith("wsgigroups.")]
        assert uses_accelerator(seen["pid"]) == (accelerator.load() is not None)  # one file serves them all
    pythons = {g["name"]: g["python"] for g in manager.status()["groups"]}
    for version in versions:
        assert pythons[as_one(version)].startswith(version + ".")
    # one rolling restart of all: each is followed by another process of its own version, and nothing is lost meanwhile
    before = {name: manager.pids(name) for name in pythons}
    with contextlib.ExitStack() as stack:
        all_clients = [stack.enter_context(manager.clients(port, 1)) for port in ports.values()]
        assert manager.cli("restart", *pythons).returncode == 0
        for clients in all_clients:
            clients.wait_for_more(1)
    assert [clients.failures for clients in all_clients] == [[]] * len(versions)
    for version in versions:
        assert manager.identity(ports[version])["pid"] == manager.pids(as_one(version))[1] != before[as_one(version)][1]
    # one broken interpreter later: the others do not notice
    before = {name: manager.pids(name) for name in pythons}
    shutil.rmtree(manager.base / f"venv-{versions[-1]}")
    done = manager.cli("apply", str(manager.write(text)))
    assert done.returncode != 0
    assert "venv" in done.stderr
    assert {name: manager.pids(name) for name in pythons} == before


def test_lang_and_locale_are_decided_before_the_interpreter_starts(manager: ManagerUnderTest) -> None:
    first, second = manager.port(), manager.port()
    manager.apply(group("a", first, 'lang = "C.UTF-8"') + group("b", second, 'locale = "C.UTF-8"'))
    one, other = manager.identity(first), manager.identity(second)
    assert one["environ"]["LANG"] == "C.UTF-8"
    assert other["environ"]["LC_ALL"] == "C.UTF-8"
    assert one["encoding"] == other["encoding"] == "utf-8"
    assert one["parent"] != other["parent"]


def test_a_manager_can_go_without_the_accelerator(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port, ""), env={**os.environ, accelerator.SWITCH: "0"})
    seen = manager.identity(port)
    assert not uses_accelerator(seen["pid"])
    assert accelerator.SWITCH not in seen["environ"]


@pytest.mark.root
def test_an_interpreter_that_others_can_change_is_not_executed_by_root(
    manager: ManagerUnderTest, interpreters: Accessible
) -> None:
    home = manager.base / "theirs"
    (home / "bin").mkdir(parents=True)
    marker = manager.base / "executed"
    evil = home / "bin" / "python3"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\n")
    evil.chmod(0o755)
    os.chown(evil, 61001, 61001)
    (home / "pyvenv.cfg").write_text(f"home = {home}/bin\nversion = 3.11.2\n")
    done = manager.cli("apply", str(manager.write(group("a", manager.port(), f'python-home = "{home}"'))))
    assert done.returncode != 0
    assert "cannot start a spawner with" in done.stderr or "cannot use" in done.stderr
    assert not marker.exists()
