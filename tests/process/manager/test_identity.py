"""As root: a daemon is who it should be, sees nothing of the manager or of another tenant, and cannot go back."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import ALICE_UID, BOB_UID, EXTRA_GID, STAFF_GID, Accounts
from support.descriptors import described
from support.manager import APPS, ManagerUnderTest
from support.processes import open_descriptors
from support.warm import warm

pytestmark = pytest.mark.root


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        yield Accounts(Path(directory))


@pytest.fixture
def manager(tmp_path: Path, accounts: Accounts) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path, accounts, warm()) as under_test:
        yield under_test


def group(name: str, port: int, extra: str = "") -> str:
    return (
        f'[groups.{name}]\napp = "identity_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f"{extra}\n"
    )


CANARIES = {f"CANARY_{number}": f"secret-{number}" for number in range(24)} | {
    "LD_PRELOAD": "",
    "PYTHONPATH": "/nowhere",
    "PYTHONSTARTUP": "/nowhere",
    "NOTIFY_SOCKET": "/nowhere",
    "LISTEN_FDS": "3",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def test_two_tenants_are_exactly_who_they_should_be(manager: ManagerUnderTest, accounts: Accounts) -> None:
    alice, bob = manager.port(), manager.port()
    extra = 'switch-interval = "20ms"\nenvironment = { COLOUR = "red" }'
    text = group("a", alice, f'user = "alice"\numask = "0027"\n{extra}')
    text += group("b", bob, 'user = "bob"\ngroup = "staffers"\nsupplementary-groups = ["extras"]')
    environment = {**os.environ, **CANARIES}
    # thirty secrets and a dozen descriptors lie around where the manager is started
    around = [os.open("/etc/shadow", os.O_RDONLY) for _ in range(12)]
    for fd in around:
        os.set_inheritable(fd, True)
    try:
        manager.apply(text, env=environment, pass_fds=around)
    finally:
        for fd in around:
            os.close(fd)
    seen = manager.identity(alice, "/try")
    assert seen["uids"] == [ALICE_UID] * 3
    assert seen["gids"] == [ALICE_UID] * 3
    assert seen["groups"] == [ALICE_UID]  # alice is a member of staffers; only what is configured counts
    assert seen["status"]["Uid"] == [str(ALICE_UID)] * 4
    assert seen["status"]["Gid"] == [str(ALICE_UID)] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert set(seen["status"][name]) == {"0000000000000000"}, name
    assert seen["status"]["NoNewPrivs"] == ["1"]
    assert seen["umask"] == 0o027
    assert seen["switch_interval_s"] == 0.02
    assert seen["cwd"] == str(accounts.homes["alice"])
    assert seen["limits"]["CORE"] == [0, 0]
    assert set(seen["attempts"].values()) == {"PermissionError"}, seen["attempts"]
    expected = {"HOME", "USER", "LOGNAME", "PATH", "COLOUR", "WSGIGROUPS_GROUP"}
    assert set(seen["environ"]) - {"LANG", "LC_ALL"} == expected
    assert seen["environ"]["HOME"] == str(accounts.homes["alice"])
    assert seen["environ"]["USER"] == seen["environ"]["LOGNAME"] == "alice"
    assert not [value for value in seen["environ"].values() if "secret" in value]
    other = manager.identity(bob)
    assert (other["uids"], other["gids"]) == ([BOB_UID] * 3, [STAFF_GID] * 3)
    assert other["groups"] == sorted([STAFF_GID, EXTRA_GID])
    status = {g["name"]: (g["user"], g["group"]) for g in manager.status()["groups"]}
    assert status == {"a": ("alice", "alice"), "b": ("bob", "staffers")}


def test_plan_shows_the_pair_that_names_came_to(manager: ManagerUnderTest) -> None:
    text = '[server]\nuser = "bob"\ngroup = "extras"\n'
    text += group("a", manager.port(), 'user = "alice"\ngroup = "staffers"')
    text += group("b", manager.port(), "")
    path = str(manager.write(text))
    steps = json.loads(manager.cli("plan", "-o", "json", path).stdout)["steps"]
    resolved = {step["group"]: {reason["option"]: reason["new"] for reason in step["reasons"]} for step in steps}
    pairs = {name: (options["user"], options["group"]) for name, options in resolved.items()}
    assert pairs == {
        "a": (f"alice ({ALICE_UID})", f"staffers ({STAFF_GID})"),
        "b": (f"bob ({BOB_UID})", f"extras ({EXTRA_GID})"),
    }
    shown = manager.cli("plan", path).stdout
    for name, (user, primary) in pairs.items():
        mine = shown.partition(f"+ {name} ")[2].partition("\n+ ")[0]
        assert re.search(rf"^    user +{re.escape(user)}\n    group +{re.escape(primary)}\n", mine, re.MULTILINE)


def test_a_daemon_has_exactly_the_specified_descriptors(manager: ManagerUnderTest) -> None:
    ports = {"a": manager.port(), "b": manager.port()}
    unix = manager.base / "b.sock"
    text = group("a", ports["a"], 'user = "alice"')
    text += group("b", ports["b"], 'user = "bob"').replace('"]\nuser', f'", "unix:{unix}"]\nuser')
    manager.apply(text)
    for name, listeners in (("a", ["listener {a}"]), ("b", ["listener {b}", f"unix socket {unix}"])):
        pid = manager.pids(name)[1]
        manager.wait_for(
            "a connection was made and is gone", lambda n=name, p=pid: manager.get(ports[n])[0] == 200 and
            "tcp socket" not in described(p)
        )  # fmt: skip
        assert described(pid) == sorted(
            [
                "0 /dev/null", "1 pipe", "2 pipe",  # the log writer's
                *(text.format(**ports) for text in listeners),
                *([f"memory wsgigroups-{name}"] * len(listeners)),  # the pulse of each listener
                "unix socket",  # its channel
                "anon_inode:[eventpoll]", *(["pipe"] * 6),  # the poller, two wake-ups, its reports, the log again
            ]
        )  # fmt: skip
    # what is of a kind is not the same: no socket and no pipe leads from one tenant to the other
    first, second = (set(open_descriptors(manager.pids(name)[1]).values()) for name in ("a", "b"))
    assert {target for target in first & second if ":[" in target} == {"anon_inode:[eventpoll]"}


def test_application_modules_are_the_applications_own(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", port, 'user = "alice"'))
    seen = manager.identity(port)
    ours = [
        name for name in seen["modules"] if name.split(".")[0] in ("wsgigroups", "pydantic", "aiohttp", "click", "rich")
    ]
    assert ours == []
    assert str(APPS) in seen["sys_path"]
    assert seen["prefix"] == sys.prefix


@pytest.mark.parametrize("user", ["toor", "#0"])
def test_root_is_refused_by_whatever_name(manager: ManagerUnderTest, user: str) -> None:
    done = manager.apply(group("a", manager.port(), f'user = "{user}"'), code=2)
    assert "root" in done.stderr
    assert not manager.client.running()


def test_an_unknown_user_is_named(manager: ManagerUnderTest) -> None:
    done = manager.apply(group("a", manager.port(), 'user = "carol"'), code=2)
    assert "carol" in done.stderr


def test_no_user_at_all_means_www_data_or_nobody(manager: ManagerUnderTest) -> None:
    port = manager.port()
    done = manager.apply(group("a", port))
    assert manager.group("a")["user"] in ("www-data", "nobody")
    assert "no user is set" in done.stderr
    assert manager.identity(port)["uids"][0] > 0


def test_home_that_the_user_cannot_enter_fails_the_start_with_a_sentence(manager: ManagerUnderTest) -> None:
    closed = manager.base / "closed"
    closed.mkdir(mode=0o700)
    done = manager.apply(group("a", manager.port(), f'user = "alice"\nhome = "{closed}"'), code=1)
    assert "cannot" in done.stderr
    assert str(closed) in done.stderr


def test_another_user_may_not_use_the_control_socket(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", manager.port(), 'user = "alice"'))
    before = manager.pids("a")
    path = manager.run_dir / "control.sock"

    def call(uid: int) -> subprocess.CompletedProcess[str]:
        request = "POST /v1/shutdown HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\n{}"
        program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{path}'); s.sendall(b'{request}')\n"
        program += "while data := s.recv(65536): print(data.decode(), end='')"
        return subprocess.run(
            [sys.executable, "-I", "-c", program], user=uid, group=uid, extra_groups=[], capture_output=True, text=True,
            check=False, cwd="/",
        )  # fmt: skip

    assert "PermissionError" in call(BOB_UID).stderr
    os.chmod(path, 0o777)
    answer = call(BOB_UID).stdout
    assert answer.startswith("HTTP/1.1 403")
    assert json.loads(answer.split("\n\n")[1])["exit_code"] == 5
    assert manager.pids("a") == before
    assert f"uid {BOB_UID}" in manager.log("manager")


@pytest.mark.parametrize("mode", [0o600, 0o777], ids=["the socket refuses", "the manager refuses"])
def test_a_command_of_another_user_ends_with_5(manager: ManagerUnderTest, mode: int) -> None:
    manager.apply(group("a", manager.port(), 'user = "alice"'))
    before = manager.pids("a")
    os.chmod(manager.run_dir / "control.sock", mode)
    for words in (["status"], ["restart", "a"], ["shutdown", "--now"], ["scale", "a=2"], ["why", "a"]):
        done = manager.cli_as(BOB_UID, *words)
        assert (done.returncode, done.stdout) == (5, ""), (words, done)
        assert done.stderr.startswith("error: cannot ")
        assert "hint: run the command as the user who started the manager" in done.stderr
    assert manager.pids("a") == before


def test_naming_a_directory_of_the_manager_is_no_wrong_usage(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", manager.port(), 'user = "alice"'))
    os.chmod(manager.state_dir, 0o700)
    os.chmod(manager.log_dir, 0o700)
    where = ["--state-dir", str(manager.state_dir), "--log-dir", str(manager.log_dir)]
    done = manager.cli_as(BOB_UID, *where, "status")
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("error: cannot use ")


def test_a_unix_socket_belongs_to_socket_user_alone(manager: ManagerUnderTest) -> None:
    path = manager.base / "a.sock"
    manager.apply(
        f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["unix:{path}"]\n'
        'user = "alice"\nsocket-user = "bob"\n'
    )
    found = path.stat()
    assert (found.st_uid, oct(found.st_mode & 0o777)) == (BOB_UID, "0o600")


def test_environment_files_of_root_and_of_the_tenant(manager: ManagerUnderTest, accounts: Accounts) -> None:
    mine, theirs = manager.base / "root.env", accounts.homes["alice"] / "app.env"
    mine.write_text("FROM_ROOT=1\nBOTH=root\n")
    mine.chmod(0o600)
    theirs.write_text("BOTH=alice\n")
    os.chown(accounts.homes["alice"], ALICE_UID, ALICE_UID)
    port = manager.port()
    manager.apply(group("a", port, f'user = "alice"\nenvironment-files = ["{mine}", "{theirs}"]'))
    environ = manager.identity(port)["environ"]
    assert (environ["FROM_ROOT"], environ["BOTH"]) == ("1", "alice")


def test_root_does_not_read_for_a_tenant_what_the_tenant_cannot(manager: ManagerUnderTest, accounts: Accounts) -> None:
    link = accounts.homes["alice"] / "app.env"
    link.symlink_to("/etc/shadow")
    os.chown(accounts.homes["alice"], ALICE_UID, ALICE_UID)
    done = manager.apply(group("a", manager.port(), f'user = "alice"\nenvironment-files = ["{link}"]'), code=1)
    assert "user alice cannot read it" in done.stderr


def test_a_socket_file_of_somebody_else_is_left_alone(manager: ManagerUnderTest) -> None:
    path = manager.base / "taken.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        inode = path.stat().st_ino
        done = manager.apply(
            f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["unix:{path}"]\n', code=1
        )
    assert "cannot listen on" in done.stderr
    assert path.stat().st_ino == inode
    path.unlink()  # whatever else is left below the manager's directories is the manager's
