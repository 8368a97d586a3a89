"""A plan in a file is applied where it was made for and nowhere else; an apply is bound to the plan that it showed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

from wsgigroups.errors import MovedError


def group(name: str, port: int, extra: str = "") -> str:
    return (
        f'[groups.{name}]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{port}"]\n{extra}\n'
    )


def planned(manager: ManagerUnderTest, text: str, *, code: int = 2) -> Path:
    path = manager.base / "saved"
    done = manager.cli("plan", "--out", str(path), "--detailed-exitcode", str(manager.write(text)))
    assert done.returncode == code, done.stderr
    return path


def apply(manager: ManagerUnderTest, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return manager.cli("apply", *options, str(path), stdin=subprocess.DEVNULL)


def test_a_plan_from_nothing_starts_a_manager_and_is_good_for_once(manager: ManagerUnderTest) -> None:
    path = planned(manager, group("a", manager.port(), 'environment = { SECRET = "s" }'))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not manager.client.running()
    done = apply(manager, path)
    assert done.returncode == 0, done.stderr
    assert manager.group("a")["processes_ready"] == 1
    again = apply(manager, path)
    assert again.returncode == 1
    assert "cannot apply this plan, it was made for another state: revision 1 is in force, not 0" in again.stderr


def test_a_plan_is_refused_where_the_state_has_moved(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port, "processes = 2"))
    before = manager.pids("a")
    path = planned(manager, group("a", port, "processes = 2\nthreads = 3"))
    assert manager.cli("scale", "a=1").returncode == 0
    refused = apply(manager, path)
    assert refused.returncode == 1
    assert "a was changed, scaled, stopped or started" in refused.stderr
    assert "nothing was changed" in refused.stderr
    assert manager.status()["revision"] == 1
    assert manager.cli("scale", "a=2").returncode == 0
    done = apply(manager, path)  # it is as it was
    assert done.returncode == 0, done.stderr
    assert set(manager.pids("a").values()).isdisjoint(before.values())


def test_a_plan_with_nothing_to_do_is_refused_where_the_state_has_moved(manager: ManagerUnderTest) -> None:
    text = group("a", manager.port(), "processes = 2")
    manager.apply(text)
    path = planned(manager, text, code=0)
    nothing = apply(manager, path)
    assert (nothing.returncode, nothing.stdout) == (0, "No changes.\n"), nothing.stderr
    assert manager.cli("scale", "a=1").returncode == 0
    refused = apply(manager, path)
    assert refused.returncode == 1
    assert "a was changed, scaled, stopped or started" in refused.stderr


def test_a_plan_is_refused_where_the_code_has_moved(manager: ManagerUnderTest) -> None:
    port, code = manager.port(), manager.base / "srv"
    code.mkdir()
    code.chmod(0o755)
    (code / "app.py").write_text((APPS / "hello_app.py").read_text())
    text = f'[groups.a]\napp = "app:application"\nhome = "{code}"\nlisten = ["127.0.0.1:{port}"]\n'
    manager.apply(text)
    path = planned(manager, text + "threads = 3\n")
    with open(code / "app.py", "a") as file:
        file.write("# more\n")
    refused = apply(manager, path)
    assert refused.returncode == 1
    assert "what a would start with has changed: its code" in refused.stderr


def test_a_damaged_plan_and_one_among_files_are_refused(manager: ManagerUnderTest) -> None:
    path = planned(manager, group("a", manager.port()))
    among = apply(manager, path, str(manager.base / "groups.toml"))
    assert (among.returncode, "together with other files" in among.stderr) == (2, True)
    path.write_bytes(path.read_bytes()[:-20])
    damaged = apply(manager, path)
    assert (damaged.returncode, "it is damaged" in damaged.stderr) == (2, True)
    body = {"kind": "wsgigroups-plan", "schema_version": 99, "plan": {}, "configuration": {}}
    path.write_text(json.dumps(body))
    assert "of another version" in apply(manager, path).stderr
    assert not manager.client.running()
    os.unlink(path)


def test_an_apply_call_with_what_was_planned_is_refused_elsewhere(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port))
    path = planned(manager, group("a", port, "threads = 3"))
    saved = json.loads(path.read_text())
    manager.apply(group("a", port, "threads = 4"))
    body = {"configuration": saved["configuration"], "precondition": saved["plan"]["precondition"]}
    with pytest.raises(MovedError) as refused:
        manager.client.post("/v1/apply", body)
    assert "revision 2 is in force, not 1" in refused.value.moved
