"""As root: no instruction of an interpreter that a tenant could change is executed by root, and yet it serves."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.accounts import ALICE_UID, BOB_UID, Accounts
from support.interpreters import Accessible
from support.manager import APPS, ManagerUnderTest
from support.prefixes import TenantPrefix

from wsgigroups.targets.interpreters import RUNTIME

pytestmark = pytest.mark.root

_CAP_SYS_RESOURCE = 24  # linux/capability.h
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def prefix(accounts: Accounts, interpreters: Accessible) -> TenantPrefix:
    """A Python with alice's library."""
    return TenantPrefix(accounts.homes["alice"].parent / "python", interpreters.get(OWN), ALICE_UID)


def group(name: str, port: int, extra: str = "", user: str = "alice") -> str:
    where = f'listen = ["127.0.0.1:{port}"]\nuser = "{user}"\nshutdown-timeout = "1s"'
    return f'[groups.{name}]\napp = "identity_app:application"\npython-path = ["{APPS}"]\n{where}\n{extra}\n'


def of_prefix(prefix: TenantPrefix, more: str = "") -> str:
    return f'python-home = "{prefix.home}"\n{more}'


def followed(manager: ManagerUnderTest, name: str, pid: int) -> int:
    """The pid of the process that has come in this one's place."""
    return int(manager.wait_for("a successor", lambda: (p := manager.pids(name).get(1)) not in (None, pid) and p))


def test_a_tenants_library_is_executed_by_the_tenant_alone(manager: ManagerUnderTest, prefix: TenantPrefix) -> None:
    port, other = manager.port(), manager.port()
    text = group("a", port, of_prefix(prefix)) + group("b", other, user="bob")
    validated = manager.cli("validate", str(manager.write(text)))
    assert "WG0607" in validated.stdout + validated.stderr
    assert validated.returncode == 0, validated.stderr
    applied = manager.apply(text)
    planned = applied.stdout + applied.stderr
    assert f"its interpreter is started as alice, not as root: another user could change {prefix.home}/lib" in planned
    seen = manager.identity(port)
    assert seen["uids"] == [ALICE_UID] * 3
    assert seen["prefix"] == str(prefix.home)
    assert psutil.Process(seen["parent"]).uids().real == ALICE_UID
    assert psutil.Process(manager.identity(other)["parent"]).uids().real == 0
    assert prefix.uids() == {ALICE_UID}
    a, b = manager.group("a"), manager.group("b")
    assert (a["interpreter"], a["spawner"]) == (str(prefix.executable), "alice's")
    assert b["spawner"] == "shared"
    # its spawner goes with its last group
    manager.apply(group("b", other, user="bob"))
    manager.wait_for("the spawner is gone", lambda: not psutil.pid_exists(seen["parent"]))
    assert manager.identity(other)["uids"] == [BOB_UID] * 3


@pytest.mark.parametrize("key", ["executable", "base-executable"])
def test_a_program_that_a_venv_names_is_not_executed_by_root(
    manager: ManagerUnderTest, prefix: TenantPrefix, key: str
) -> None:
    program = manager.base / "program"
    program.write_text(f"#!/bin/sh\nid -u >> {prefix.witness}\n")
    program.chmod(0o755)
    venv = prefix.home.parent / "venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {OWN}.0\n{key} = {program}\n")
    os.chown(venv, ALICE_UID, ALICE_UID)
    done = manager.apply(group("a", manager.port(), f'python-home = "{venv}"'), code=1)
    assert "cannot start a spawner" in done.stdout + done.stderr
    assert prefix.uids() == {ALICE_UID}


def test_it_has_what_only_root_can_give(manager: ManagerUnderTest, prefix: TenantPrefix) -> None:
    port = manager.port()
    manager.apply(group("a", port, of_prefix(prefix, 'cpu-priority = -5\nmemory-limit = "1GiB"')))
    seen = manager.identity(port)
    assert seen["nice"] == -5
    assert seen["oom_score_adj"] == 0
    assert seen["limits"]["DATA"] == [1 << 30, 1 << 30]
    assert seen["status"]["NoNewPrivs"] == ["1"]
    assert {seen["status"][f"Cap{name}"][0] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    spawner = psutil.Process(seen["parent"])
    status = Path(f"/proc/{spawner.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status
    assert os.getsid(spawner.pid) == spawner.pid
    assert Path(f"/proc/{spawner.pid}/oom_score_adj").read_text() == "0\n"
    assert spawner.nice() == psutil.Process(manager.manager_pid).nice()


def test_its_limits_are_raised_by_root_or_it_is_said_that_they_are_not(
    manager: ManagerUnderTest, prefix: TenantPrefix
) -> None:
    port = manager.port()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    manager.apply(group("a", port, of_prefix(prefix, f"limit-nofile = {hard - 1}")))
    assert manager.identity(port)["limits"]["NOFILE"] == [hard - 1] * 2
    capabilities = int(re.search(r"^CapEff:\s+(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)[1], 16)  # type: ignore[index]
    text = group("a", port, of_prefix(prefix, f"limit-nofile = {hard + 1}"))
    if capabilities >> _CAP_SYS_RESOURCE & 1 and hard < int(Path("/proc/sys/fs/nr_open").read_text()):
        manager.apply(text)
        assert manager.identity(port)["limits"]["NOFILE"] == [hard + 1] * 2
    else:
        done = manager.apply(text, code=8)
        assert f"cannot set the limit NOFILE {hard + 1}: " in done.stdout + done.stderr
        assert manager.identity(port)["limits"]["NOFILE"] == [hard - 1] * 2


def test_it_is_confined_as_an_ordinary_users_processes_are(manager: ManagerUnderTest, prefix: TenantPrefix) -> None:
    port = manager.port()
    more = 'supplementary-groups = ["extras"]\nprivate-devices = true\nrestrict-namespaces = true\nprotect-home = "yes"'
    manager.apply(group("a", port, of_prefix(prefix, more)))
    seen = manager.identity(port)
    assert seen["uids"] == [ALICE_UID] * 3
    assert {seen["status"][f"Cap{name}"][0] for name in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    (process,) = manager.group("a")["processes"]
    assert process["confinement"]["restrict-namespaces"]["state"] == "enforced"
    assert set(process["confinement"]) >= {"private-devices", "protect-home", "restrict-namespaces"}


def test_the_launcher_passes_on_nothing_of_the_managers(interpreters: Accessible, tmp_path: Path) -> None:
    code = "import json, os; print(json.dumps([sorted(map(int, os.listdir('/proc/self/fd'))), os.getresuid(), "
    code += "os.getresgid(), os.getgroups(), os.getsid(0) == os.getpid(), open('/proc/self/oom_score_adj').read()]))"
    with socket.socket(socket.AF_UNIX) as listener, Path("/etc/hostname").open() as secret:
        listener.bind(str(tmp_path / "s"))
        fd = listener.fileno()
        # a number that the program's own open does not take
        os.dup2(secret.fileno(), 77)
        launcher = [sys.executable, "-I", "-S", str(RUNTIME / "spawner" / "__main__.py"), "launch"]
        who = [str(ALICE_UID), "61001", "61001,61100", str(fd), "", ""]
        done = subprocess.run(
            [*launcher, *who, str(interpreters.get(OWN)), "-I", "-S", "-c", code],
            pass_fds=(fd, 77),
            preexec_fn=lambda: Path("/proc/self/oom_score_adj").write_text("500"),
            capture_output=True,
            cwd="/",
            check=False,
        )
        os.close(77)
    assert done.returncode == 0, done.stderr
    descriptors, uids, gids, groups, leads, score = json.loads(done.stdout)
    assert 77 not in descriptors
    assert len(set(descriptors) - {0, 1, 2, fd}) == 1, "that of the listing"
    assert (uids, gids, groups) == ([ALICE_UID] * 3, [61001] * 3, [61001, 61100])
    assert leads
    assert score == "0\n"


def test_one_that_becomes_the_tenants_is_not_started_again(
    manager: ManagerUnderTest, accounts: Accounts, interpreters: Accessible
) -> None:
    prefix = TenantPrefix(accounts.homes["alice"].parent / "python", interpreters.get(OWN), 0)
    port = manager.port()
    text = group("a", port, of_prefix(prefix))
    manager.apply(text)
    if manager.group("a")["spawner"] != "shared":
        pytest.skip("the Python that runs the tests is not root's itself")
    assert prefix.uids() == {0}
    seen = manager.identity(port)
    prefix.witness.write_text("")
    os.lchown(prefix.library, ALICE_UID, ALICE_UID)
    os.kill(seen["parent"], signal.SIGKILL)
    said = f"cannot start the interpreter {prefix.executable} as root: another user could change {prefix.library}"
    manager.wait_for("it is refused", lambda: said in manager.log("manager"))
    assert prefix.uids() == set()
    assert manager.identity(port)["pid"] == seen["pid"]
    manager.apply(text)
    assert manager.group("a")["spawner"] == "alice's"
    assert prefix.uids() == {ALICE_UID}


def test_its_user_cannot_change_its_root_directory(manager: ManagerUnderTest, prefix: TenantPrefix) -> None:
    jail = manager.base / "jail"
    (jail / str(APPS)[1:]).mkdir(parents=True)  # or there would be no directory of applications in it
    text = group("a", manager.port(), of_prefix(prefix, f'chroot = "{jail}"'))
    validated = manager.cli("validate", str(manager.write(text)))
    assert "WG0641" in validated.stdout + validated.stderr
    assert "with chroot: another user could change" in manager.apply(text, code=1).stderr
    assert prefix.uids() == set()


def test_a_manager_that_was_killed_is_followed_by_one_that_finds_it(
    manager: ManagerUnderTest, prefix: TenantPrefix
) -> None:
    port = manager.port()
    text = group("a", port, of_prefix(prefix))
    manager.apply(text)
    seen = manager.identity(port)
    os.kill(manager.manager_pid, signal.SIGKILL)
    assert manager.identity(port)["pid"] == seen["pid"]
    manager.apply(text)
    assert manager.pids("a") == {1: seen["pid"]}
    os.kill(seen["pid"], signal.SIGKILL)
    followed(manager, "a", seen["pid"])
    assert manager.identity(port)["parent"] == seen["parent"]
    manager.wait_for("its end is told", lambda: "killed by signal 9" in str(manager.group("a")["last_error"]))
    # without its spawner, the process goes on and the next one has another spawner
    before = manager.identity(port)
    os.kill(seen["parent"], signal.SIGKILL)
    manager.wait_for("it is gone", lambda: f"(pid {seen['parent']}) is gone" in manager.log("manager"))
    assert manager.identity(port)["pid"] == before["pid"]
    os.kill(before["pid"], signal.SIGKILL)
    followed(manager, "a", before["pid"])
    assert manager.identity(port)["uids"] == [ALICE_UID] * 3
    assert prefix.uids() == {ALICE_UID}


def test_a_keeper_that_was_killed_is_followed_by_one_that_has_everything(
    manager: ManagerUnderTest, prefix: TenantPrefix
) -> None:
    port = manager.port()
    text = group("a", port, of_prefix(prefix))
    manager.apply(text)
    seen = manager.identity(port)
    keeper = keeper_of(manager)
    keeper.kill()
    manager.wait_for("another keeper", lambda: (other := keeper_of(manager)) and other.pid != keeper.pid)
    # what is asked of the new one is answered after it was given everything
    manager.wait_for("it keeps", lambda: len(os.listdir(f"/proc/{keeper_of(manager).pid}/fd")) > 8)
    os.kill(manager.manager_pid, signal.SIGKILL)
    manager.apply(text)
    assert manager.identity(port)["pid"] == seen["pid"]
    assert manager.pids("a") == {1: seen["pid"]}


def keeper_of(manager: ManagerUnderTest) -> Any:
    for child in psutil.Process(manager.manager_pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one of these, too
            if "keeper" in " ".join(child.cmdline()):
                return child
    return None


def test_somebody_else_in_its_place_is_refused(manager: ManagerUnderTest, prefix: TenantPrefix) -> None:
    port = manager.port()
    text = group("a", port, of_prefix(prefix))
    manager.apply(text)
    seen = manager.identity(port)
    (path,) = (manager.run_dir / "spawners").glob("*.u*.sock")
    os.kill(manager.manager_pid, signal.SIGKILL)
    os.kill(seen["parent"], signal.SIGKILL)
    path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    # listen(2) is what gives a socket its credentials
    code = "import socket, sys\ns = socket.socket(fileno=int(sys.argv[1]))\n"
    code += "s.listen()\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(listener.fileno())],
        user=BOB_UID,
        group=BOB_UID,
        extra_groups=[],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as bob:
        listener.close()
        assert bob.stdout is not None
        assert bob.stdin is not None
        assert bob.stdout.readline() == b"\n"
        manager.apply(text)
        assert f"uid {BOB_UID} answers on {path}, not uid {ALICE_UID}" in manager.log("manager")
        bob.stdin.close()
    assert manager.identity(port)["pid"] == seen["pid"]
    os.kill(seen["pid"], signal.SIGKILL)
    followed(manager, "a", seen["pid"])
    assert manager.identity(port)["uids"] == [ALICE_UID] * 3


def test_a_spawner_that_lies_about_its_children_gets_nothing_for_it(
    manager: ManagerUnderTest, prefix: TenantPrefix
) -> None:
    port, other = manager.port(), manager.port()
    named = prefix.home / "named"
    # in the spawner each fork seems to make the process whose number is in that file
    prefix.replace("dataclasses", f"os.fork = lambda: int(open({str(named)!r}).read())")
    manager.apply(group("b", other, user="bob"))
    victim = manager.identity(other)
    text = group("a", port, of_prefix(prefix, "cpu-priority = -5\nstartup-timeout = 20")) + group(
        "b", other, user="bob"
    )
    named.write_text(str(victim["pid"]))
    manager.apply(text, code=1)
    said = "it named a process that it has not forked: process"
    assert f"{said} {victim['pid']} has a life already" in manager.log("manager")
    # it goes on trying: with one of root's, and with one of its own user's that is not its child
    named.write_text(str(manager.manager_pid))
    wanted = f"{said} {manager.manager_pid} has Uid 0 0 0 0"
    manager.wait_for("a lie", lambda: wanted in manager.log("manager"))
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=ALICE_UID, group=ALICE_UID, extra_groups=[]) as own:
        named.write_text(str(own.pid))
        wanted = f"{said} {own.pid} has PPid {os.getpid()}"
        manager.wait_for("a lie", lambda: wanted in manager.log("manager"))
        assert own.stdin is not None
        own.stdin.close()
    assert manager.identity(other)["pid"] == victim["pid"]
    assert manager.identity(other)["nice"] == victim["nice"]
    assert psutil.Process(manager.manager_pid).nice() == psutil.Process().nice()
    assert prefix.uids() == {ALICE_UID}


def test_spawners_per_user_share_nothing(manager: ManagerUnderTest) -> None:
    ports = {"a": manager.port(), "b": manager.port(), "c": manager.port()}
    text = "".join(group(name, ports[name], user="bob" if name == "b" else "alice") for name in ports)
    manager.apply(text)
    assert len({manager.identity(port)["parent"] for port in ports.values()}) == 1
    manager.apply('[server]\nspawners = "per-user"\n' + text)
    seen = {name: manager.identity(port) for name, port in ports.items()}
    assert seen["a"]["parent"] == seen["c"]["parent"] != seen["b"]["parent"]
    assert manager.group("b")["spawner"] == "root's, for bob alone"
    heaps = {name: heap_of(one["pid"]) for name, one in seen.items()}
    assert heaps["a"] == heaps["c"] != heaps["b"]


def heap_of(pid: int) -> str:
    """Where its heap begins, which the kernel places by chance."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return next(line.split("-", 1)[0] for line in lines if line.endswith("[heap]"))
