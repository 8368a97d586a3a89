"""A release goes to three machines by Ansible: nothing is lost, what is broken goes no further and is undone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.looking import wait
from support.machines import HUNG_S, SSHD, Fleet, Load, MachineUnderTest, fleet
from support.playbooks import installed

pytestmark = [
    pytest.mark.root,
    pytest.mark.needs(SSHD, "ssh", "ssh-keygen", "unshare", "nsenter"),
    pytest.mark.slow,
    pytest.mark.timeout(700),  # each task is a login
]

# a machine can refuse the code of a release, and hold it up while it is loaded: who writes to the FIFO lets it go on
CODE = """
import os
if os.path.exists({here!r} + "/refuses-{release}"):
    raise RuntimeError("not on this machine")
if os.path.exists({here!r} + "/holds-{release}"):
    open({here!r} + "/holds-{release}").read()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{release}"]
"""
GROUPS = """
version = 1
[server]
user = "nobody"
[groups.shop]
release = "1"
script = "{here}/releases/1/shop.wsgi"
listen = ["unix:{here}/shop.sock"]
processes = 2
rollout.min-ready-time = 0
"""
QUICK = ("-e", "max_parallel=2", "-e", "min_healthy_time=0.5s", "-e", "stagger=1")


@pytest.fixture(scope="module")
def machines() -> Iterator[Fleet]:
    """Three machines that serve release 1, which nobody has brought there by Ansible."""
    programs = installed()
    base = Path(tempfile.mkdtemp(prefix="wg-", dir="/tmp"))  # short, and every account may enter it
    base.chmod(0o755)
    try:
        with fleet(base, 3, programs) as found:
            text = GROUPS.format(here=found.here)
            (base / "groups.toml").write_text(text)
            found.wsgigroups("render", "ansible", str(base / "groups.toml"), "-o", str(base))
            (base / "releases").mkdir()
            for release in ("2", "3"):
                _write(base / release, found.here, release)
                with tarfile.open(base / "releases" / f"{release}.tar.gz", "w:gz") as archive:
                    archive.add(base / release, ".")
            for machine in found.machines:
                _write(machine.own / "releases" / "1", found.here, "1")
                (machine.own / "groups.toml").write_text(text)
            started = [machine.start("apply", "--yes", f"{found.here}/groups.toml") for machine in found.machines]
            for process in started:
                said, _none = process.communicate(timeout=HUNG_S)
                assert process.returncode == 0, said
            yield found
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _write(directory: Path, here: Path, release: str) -> None:
    directory.mkdir(parents=True)
    (directory / "shop.wsgi").write_text(CODE.format(here=str(here), release=release))


def command(found: Fleet, release: str, *more: str) -> list[str]:
    """The playbook as the documentation has it."""
    playbook = str(found.base / "rollout.yml")
    return ["ansible-playbook", "-i", str(found.inventory), playbook, "-e", f"release={release}", *QUICK, *more]


def begun(machine: MachineUnderTest, fifo: Path) -> int | None:
    """Who loads the application there waits at the FIFO: the end for writing, which lets it go on when it is closed."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        assert machine.process.poll() is None
        return None


def test_a_killed_controller_and_its_successor_bring_a_release_to_all_and_nothing_is_lost(machines: Fleet) -> None:
    canary = machines.machines[0]
    fifo = canary.own / "holds-2"
    os.mkfifo(fifo, 0o644)
    fifo.chmod(0o644)
    with Load(machines.machines) as load:
        with (machines.base / "killed.log").open("w") as log:
            killed = subprocess.Popen(
                command(machines, "2"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=machines.environment, start_new_session=True,
            )  # fmt: skip
            held = wait(lambda: begun(canary, fifo), (machines.base / "killed.log").read_text, HUNG_S)
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait(HUNG_S)
        fifo.unlink()
        os.close(held)
        assert [machine.get() for machine in machines.machines[1:]] == [b"1", b"1"]
        machines.run(*command(machines, "2"))
        assert machines.answers() == [b"2", b"2", b"2"]
    assert not load.lost
    assert all(set(seen) == {b"1", b"2"} for seen in load.seen.values()), load.seen
    assert not list(machines.base.glob("m?/*.before.toml")), "there is nothing left to return to"
    again = machines.run(*command(machines, "2", "--limit", "m1"))
    assert "changed=0" in again


def test_check_mode_prints_the_plan_and_leaves_nothing(machines: Fleet) -> None:
    before = machines.files(), machines.answers(), _names(machines)
    said = machines.run(*command(machines, "3", "--check", "--limit", "m1"))
    assert re.search("release +[12] → 3 ", said), said
    assert (machines.files(), machines.answers(), _names(machines)) == before


def _names(machines: Fleet) -> list[str]:
    return sorted(str(path) for pattern in ("m?/*", "m?/releases/*") for path in machines.base.glob(pattern))


@pytest.mark.parametrize(
    ("refusing", "reached", "pauses", "more"),
    [
        ("m1", ["m1"], False, ["--limit", "m1,m3"]),
        ("m3", ["m1", "m3"], True, ["--limit", "m1,m3"]),
        # one of two at a time: the other one is well, and the third one does not get it (max_fail_percentage)
        ("m2", ["m1", "m2"], False, ["-e", "canary=2"]),
    ],
)
def test_a_broken_release_stops_and_is_undone_on_disk_too(
    machines: Fleet, refusing: str, reached: list[str], pauses: bool, more: list[str]
) -> None:
    before = machines.files(), machines.answers()
    mark = machines.base / refusing / "refuses-3"
    mark.touch()
    try:
        with Load(machines.machines) as load:
            said = machines.run(*command(machines, "3", *more), code=2)
    finally:
        mark.unlink()
    assert f"release 3 failed on {refusing}" in said
    assert ("Pausing for 1 seconds" in said) == pauses, "between machines, and not behind the last one"
    assert not load.lost
    assert (machines.files(), machines.answers()) == before
    assert sorted(set(re.findall(r"\[(m\d)\]", said))) == reached
    assert not list(machines.base.glob("m?/*.before.toml"))


def test_one_table_of_all_machines_with_those_that_do_not_answer(machines: Fleet) -> None:
    inventory = json.loads(machines.inventory.read_text())
    inventory["all"]["hosts"]["m4"] = {"ansible_port": 1, "ansible_host": "127.0.0.1"}
    inventory["all"]["hosts"]["m5"] = {**inventory["all"]["hosts"]["m1"], "groups_program": "/nowhere/wsgigroups"}
    file = machines.base / "more.yml"
    file.write_text(json.dumps(inventory))
    answer = json.loads(machines.wsgigroups("status", "--inventory", str(file), "--timeout", "40s", "-o", "json"))
    assert [(item["host"], item["status"] is not None) for item in answer["hosts"]] == [
        ("m1", True), ("m2", True), ("m3", True), ("m4", False), ("m5", False),
    ]  # fmt: skip
    assert all(item["status"]["groups"][0]["processes_ready"] == 2 for item in answer["hosts"][:3])
    assert "Connection refused" in answer["hosts"][3]["error"]
    assert "groups_program" in answer["hosts"][4]["error"]
    machines.wsgigroups("status", "--inventory", str(machines.inventory), "--timeout", "40s", "--check", "shop")
