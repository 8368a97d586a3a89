"""What a tenant's process leaves behind ends with it: by its cgroup, and where there is none by what shows of it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.accounts import ALICE_UID, Accounts
from support.faults import outlives
from support.hierarchies import WAYS, possible, under
from support.interpreters import Accessible
from support.prefixes import TenantPrefix
from support.tenants import SOON_S, Tenants

from wsgigroups.manager.supervision.cgroups.hierarchy import path_of

pytestmark = pytest.mark.root

ATTACKS = ("keep", "keep-hidden", "hide")


class Under(Tenants):
    """Tenants whose manager has a cgroup v2 hierarchy, or has none."""

    way = "cgroup"

    def command(self, *arguments: str) -> list[str]:
        return under(self.way, super().command(*arguments))

    def gone(self, pid: int) -> None:
        """It has ended, whoever has to reap it now."""
        assert not outlives(pid, SOON_S), "the stray lives on"


@pytest.fixture(params=WAYS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Under]:
    if not possible(request.param):
        pytest.skip(f"this machine has no way to end lives by {request.param}")
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        tenants = Under(tmp_path, Accounts(Path(directory)))
        tenants.way = request.param
        with tenants:
            tenants.apply(tenants.text())
            assert tenants.status()["manager"]["cleanup"] == request.param
            assert {group["cleanup"] for group in tenants.status()["groups"]} == {request.param}
            yield tenants


@pytest.mark.parametrize("how", ATTACKS)
def test_after_stop_nothing_of_the_group_is_left(there: Under, how: str) -> None:
    """A grandchild of a session of its own kept the listener and answered on."""
    stray = there.stray(how)
    assert there.cli("stop", "a").returncode == 0
    there.gone(stray)
    there.all_is_well()


@pytest.mark.parametrize("how", ["keep-hidden", "hide"])
def test_after_a_removal_nothing_is_left(there: Under, how: str) -> None:
    stray = there.stray(how)
    there.apply(there.one("b", "crashing_app", there.b, "bob"))
    there.gone(stray)
    there.all_is_well()


@pytest.mark.parametrize("how", ["keep-hidden", "hide"])
def test_after_a_shutdown_now_nothing_is_left(there: Under, how: str) -> None:
    stray = there.stray(how)
    assert there.cli("shutdown", "--now").returncode == 0
    there.gone(stray)


def test_what_a_killed_process_leaves_goes_and_its_successor_stays(there: Under) -> None:
    pid, stray = there.pids("a")[1], there.stray("keep")
    os.kill(pid, signal.SIGKILL)
    there.followed(pid)
    there.gone(stray)
    assert there.get(there.a, "/pid")[0] == 200


@pytest.mark.parametrize("how", ["keep", "keep-hidden"])
def test_after_a_replacement_what_the_old_process_left_is_gone(there: Under, how: str) -> None:
    stray = there.stray(how)
    assert there.cli("restart", "a").returncode == 0
    there.gone(stray)
    assert there.get(there.a, "/pid")[0] == 200


def test_what_is_left_of_several_lives_goes_with_the_last(there: Under) -> None:
    """What an earlier process had left was older than the last one, and taken for none of its."""
    strays = [there.stray("hide")]
    for _round in range(2):
        assert there.cli("restart", "a").returncode == 0
        strays.append(there.stray("hide"))
    seen = set(strays) if there.way == "session" else set()
    # a manager looks anew when its last look is old, and the last one may have come after that
    there.wait_for("the strays are in the status", lambda: set(there.group("a")["strays"]) == seen)
    assert there.cli("stop", "a").returncode == 0
    for stray in strays:
        there.gone(stray)
    there.all_is_well()


@pytest.mark.parametrize("how", ["keep", "keep-hidden"])
def test_another_manager_ends_what_is_left_of_the_lives_it_found(there: Under, how: str) -> None:
    pids, stray = there.pids("a"), there.stray(how)
    os.kill(there.manager_pid, signal.SIGKILL)
    there.apply(there.text())
    assert there.pids("a") == pids
    assert {group["cleanup"] for group in there.status()["groups"]} == {there.way}
    assert there.cli("stop", "a").returncode == 0
    there.gone(stray)


@pytest.mark.parametrize("there", ["cgroup"], indirect=True)  # nothing else shows whose it was
def test_what_is_left_of_lives_that_ended_without_a_manager_goes_after_their_windows(there: Under) -> None:
    """Nobody has them any more; daemons that may still be leaving have their time first."""
    pid, stray = there.pids("a")[1], there.stray("hide")
    manager = there.manager_pid
    spawners = [child.pid for child in psutil.Process(manager).children() if child.pid != stray]
    for victim in (manager, *spawners):
        os.kill(victim, signal.SIGKILL)
    assert not outlives(pid, SOON_S), "it leaves by itself"
    there.apply(there.text())
    assert not outlives(stray, SOON_S + 10.0)
    there.all_is_well()


@pytest.mark.parametrize("end", ["stop", "shutdown"])
def test_what_a_mold_has_forked_ends_with_it(there: Under, end: str) -> None:
    """A mold lives a little longer than the processes of its group, and so nobody looked for what it had left."""
    text = there.one("a", "mold_app", there.a, "alice", 'preload = "app"\n') + there.one(
        "b", "crashing_app", there.b, "bob"
    )
    there.apply(text)
    (mold,) = (item["pid"] for item in there.group("a")["molds"])
    (stray,) = (child.pid for child in psutil.Process(mold).children())
    if end == "shutdown":
        os.kill(there.manager_pid, signal.SIGKILL)
        there.apply(text)
    assert there.cli(*(["stop", "a"] if end == "stop" else ["shutdown"])).returncode == 0
    there.gone(stray)


def test_helpers_of_a_process_that_lives_are_left_alone(there: Under) -> None:
    """A neighbour of the same user ends; what another life forked and let go is not its affair."""
    other = there.port()
    there.apply(there.text() + there.one("c", "hostile_app", other, "alice"))
    stray = there.stray("hide")
    assert there.cli("stop", "c").returncode == 0
    assert psutil.pid_exists(stray)
    assert there.cli("stop", "a").returncode == 0
    there.gone(stray)


@pytest.mark.parametrize("there", ["cgroup"], indirect=True)
def test_cgroups_come_and_go_with_lives(there: Under) -> None:
    path = path_of(there.pids("a")[1])
    assert path is not None
    tree, group, life = path.split("/")[-3:]
    assert tree.startswith("wsgigroups-")
    assert (group, life) == ("a", "1.1")
    base = Path((there.run_dir / "cgroup").read_text())
    if not base.is_dir():
        pytest.skip("the hierarchy is in the manager's mount namespace alone")
    assert {entry.name for entry in base.iterdir() if entry.is_dir()} == {"a", "b"}
    assert there.cli("restart", "a").returncode == 0
    there.soon("one life is left", lambda: sum(entry.is_dir() for entry in (base / "a").iterdir()) == 1)
    there.apply(there.one("b", "crashing_app", there.b, "bob"))
    there.soon("the group's is gone", lambda: not (base / "a").exists())
    assert there.cli("shutdown").returncode == 0
    there.soon("the tree is gone", lambda: not base.exists())


@pytest.mark.parametrize("there", ["cgroup"], indirect=True)  # a session would show nothing of it
def test_a_spawner_of_a_users_has_a_cgroup_and_an_end_of_its_own(there: Under, interpreters: Accessible) -> None:
    """It was in the manager's, and what it had forked lived on."""
    assert there.accounts is not None
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    prefix = TenantPrefix(there.accounts.homes["alice"].parent / "python", interpreters.get(own), ALICE_UID)
    left = prefix.leave_a_stray()
    there.apply(there.text(f'python-home = "{prefix.home}"\n'))
    pid = there.pids("a")[1]
    spawner, stray = psutil.Process(pid).ppid(), int(there.soon("there is a stray", left.read_text))
    where = path_of(spawner)
    assert where is not None
    assert where.split("/")[-2] == "_spawners"
    assert path_of(stray) == where
    assert path_of(there.manager_pid) != where
    assert str(path_of(pid)).split("/")[-2] == "a"
    os.kill(spawner, signal.SIGKILL)
    there.gone(stray)
    assert there.pids("a") == {1: pid}, "its daemons go on"
    there.soon("its cgroup is gone", lambda: where.split("/")[-1] not in names_below(there))
    there.all_is_well()
    assert there.cli("restart", "a").returncode == 0
    another = psutil.Process(there.pids("a")[1]).ppid()
    there.apply(there.text())  # done before the last process that needs it has left
    assert not outlives(another, SOON_S), "nobody needs it any more"


def names_below(there: Under) -> set[str]:
    """Names of all cgroups, where they can be seen from here."""
    base = Path((there.run_dir / "cgroup").read_text())
    return {entry.name for entry in base.rglob("*")} if base.is_dir() else set()


def test_limits_that_cannot_be_had_are_said_and_touch_no_process(there: Under) -> None:
    pids = there.pids("a")
    done = there.apply(there.text('tasks-max = 500\nmemory-max = "1G"\n'))
    missing = there.group("a")["not_in_force"]
    if there.way == "session":
        assert missing == dict.fromkeys(("memory-max", "tasks-max"), "no cgroup v2 hierarchy is mounted")
    for option, why in missing.items():
        assert f"note: a: {option} will not be in force: {why}" in done.stderr
        assert f"{option} is not in force: {why}" in there.cli("why", "a").stdout
    if missing:
        refused = there.apply(there.text('tasks-max = 500\nconfinement = "required"\n'), code=1)
        assert "cannot keep tasks-max of group 'a', whose confinement is required" in refused.stderr
    assert there.pids("a") == pids
