"""As root: no link, directory or socket of a tenant leads root to anything else, at validation and at use."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.accounts import ALICE_UID, BOB_UID, STAFF_GID, Accounts
from support.manager import APPS, ManagerUnderTest

pytestmark = pytest.mark.root

COMMON = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'


@pytest.fixture
def home(accounts: Accounts) -> Path:
    """A directory of alice's."""
    path = accounts.homes["alice"]
    os.chown(path, ALICE_UID, ALICE_UID)
    return path


@pytest.fixture
def precious(manager: ManagerUnderTest) -> Path:
    """A file of root's that nobody else may touch."""
    path = manager.base / "precious"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def validate(manager: ManagerUnderTest, text: str) -> subprocess.CompletedProcess[str]:
    return manager.cli("validate", str(manager.write(text)))


def refused(manager: ManagerUnderTest, text: str, words: str, code: str = "WG0631") -> None:
    """Validation says it with its place, and apply refuses it by itself."""
    seen = validate(manager, text)
    assert code in seen.stdout + seen.stderr
    assert "groups.toml:" in seen.stdout + seen.stderr
    done = manager.apply(text, code=1)
    assert words in done.stderr, done.stderr


def test_a_log_below_a_tenants_directory_is_not_followed(manager: ManagerUnderTest, home: Path, precious: Path) -> None:
    (home / "log").symlink_to(precious)
    for path in (home / "log", home / "new.log"):
        listen = f'listen = ["127.0.0.1:{manager.port()}"]\nuser = "alice"\n'
        refused(manager, f'[groups.a]\n{COMMON}{listen}error-log = "{path}"', f"another user could change {home}")
    assert precious.read_text() == "precious"
    assert not (home / "new.log").exists()


def test_a_log_whose_directory_becomes_the_tenants_is_not_opened_again(manager: ManagerUnderTest) -> None:
    port = manager.port()
    logs = manager.base / "logs"
    logs.mkdir()
    text = f'[groups.a]\n{COMMON}listen = ["127.0.0.1:{port}"]\nuser = "alice"\nerror-log = "{logs}/a.log"\n'
    manager.apply(text)
    assert manager.get(port)[0] == 200
    os.chown(logs, ALICE_UID, ALICE_UID)
    os.rename(logs / "a.log", logs / "old.log")
    (logs / "a.log").symlink_to("/etc/motd-of-nobody")
    old = manager.pids("a")
    done = manager.cli("restart", "a")
    assert done.returncode != 0
    assert "could change" in manager.log("manager")
    assert manager.pids("a") == old
    assert not Path("/etc/motd-of-nobody").exists()
    os.chown(logs, 0, 0)


@pytest.mark.parametrize("what", ["link", "FIFO", "directory"])
def test_what_takes_the_place_of_a_log_is_not_opened(manager: ManagerUnderTest, precious: Path, what: str) -> None:
    """At `logs --reopen` and at a restart, in a directory of root's too: nobody waits, and processes keep their log."""
    port, log = manager.port(), manager.log_dir / "a.log"
    manager.apply(f'[groups.a]\n{COMMON}listen = ["127.0.0.1:{port}"]\nuser = "alice"\n')
    manager.get(port)
    os.rename(log, manager.log_dir / "old.log")
    match what:
        case "link":
            log.symlink_to(precious)
        case "FIFO":
            os.mkfifo(log)
        case _:
            log.mkdir()
    found, old = os.lstat(log), manager.pids("a")
    try:
        reopened, restarted = manager.cli("logs", "--reopen"), manager.cli("restart", "a")
        after = os.lstat(log)
    finally:
        log.rmdir() if what == "directory" else log.unlink()
    assert reopened.returncode == 0
    assert "keeps the log that it has: " in manager.log("manager")
    assert restarted.returncode != 0
    assert manager.pids("a") == old
    assert manager.get(port)[0] == 200
    assert (after.st_ino, after.st_mode) == (found.st_ino, found.st_mode)
    assert precious.read_text() == "precious"


def test_a_socket_below_a_tenants_directory_is_not_made(manager: ManagerUnderTest, home: Path) -> None:
    target = manager.base / "elsewhere"
    target.mkdir()
    (home / "run").symlink_to(target)
    for path in (home / "a.sock", home / "run" / "a.sock"):
        listen = f'listen = ["unix:{path}"]\nuser = "alice"\n'
        refused(manager, f"[groups.a]\n{COMMON}{listen}", "another user could change")
    assert list(target.iterdir()) == []
    assert [path.name for path in home.iterdir()] == ["run"]


def test_a_socket_in_a_sticky_directory_is_fine(manager: ManagerUnderTest) -> None:
    shared = manager.base / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    text = f'[groups.a]\n{COMMON}listen = ["unix:{shared}/a.sock"]\nuser = "alice"\nsocket-user = "bob"\n'
    assert "WG0631" not in validate(manager, text).stdout
    manager.apply(text)
    found = (shared / "a.sock").stat()
    assert (found.st_uid, oct(found.st_mode & 0o777)) == (BOB_UID, "0o600")


@pytest.mark.parametrize("directory", ["state", "run", "log"])
@pytest.mark.parametrize("owner", [ALICE_UID, 0])
def test_the_managers_own_directories_are_nobody_elses(manager: ManagerUnderTest, directory: str, owner: int) -> None:
    """The tenant's own directory, and one that the tenant could replace because it may write the one above."""
    above = manager.base / "above"
    theirs = above / "dir"
    theirs.mkdir(parents=True)
    if owner:
        os.chown(theirs, owner, owner)
    else:
        above.chmod(0o777)
    text = f'[groups.a]\n{COMMON}listen = ["127.0.0.1:{manager.port()}"]\nuser = "alice"\n'
    # apply would not even ask whether a manager runs there
    words = ["run"] if directory == "run" else ["apply", "--yes"]
    done = manager.cli(f"--{directory}-dir", str(theirs), *words, str(manager.write(text)))
    assert done.returncode != 0
    said = done.stderr + manager.log("manager")
    assert f"another user could change {theirs if owner else above}" in said
    assert directory != "run" or "as the run directory" in said  # before anything was made in it
    assert list(theirs.iterdir()) == []
    assert not manager.client.running()


def test_a_chroot_that_a_tenant_can_change_is_refused(manager: ManagerUnderTest, home: Path) -> None:
    (home / str(APPS)[1:]).mkdir(parents=True)  # or there would be no directory of applications in it
    listen = f'listen = ["127.0.0.1:{manager.port()}"]\nuser = "alice"\n'
    refused(manager, f'[groups.a]\n{COMMON}{listen}chroot = "{home}"', f"{home} can be changed by another user")


def test_two_users_do_not_share_a_log_under_any_name(manager: ManagerUnderTest) -> None:
    (manager.base / "logs").mkdir()
    (manager.base / "other").symlink_to("logs")
    ports = manager.port(), manager.port()

    def text(first: str, second: str, user: str) -> str:
        return (
            f'[groups.a]\n{COMMON}listen = ["127.0.0.1:{ports[0]}"]\nuser = "alice"\nerror-log = "{first}/x.log"\n'
            f'[groups.b]\n{COMMON}listen = ["127.0.0.1:{ports[1]}"]\nuser = "{user}"\nerror-log = "{second}/x.log"\n'
        )

    logs, other = manager.base / "logs", manager.base / "other"
    same = text(str(logs), f"{logs}/../logs", "bob")
    refused(manager, same, "it is one file under two names", "WG0632")
    assert "cannot use the log" in manager.apply(text(str(logs), str(other), "bob"), code=1).stderr
    manager.apply(text(str(logs), str(other), "alice"))


def test_members_of_the_read_group_connect_and_cannot_plan(manager: ManagerUnderTest) -> None:
    path = manager.write(f'[groups.a]\n{COMMON}listen = ["127.0.0.1:{manager.port()}"]\nuser = "daemon"\n')
    with manager.foreground("--read-group", "staffers", str(path)) as process:
        assert process.stderr is None
        manager.wait_for("it answers", manager.client.running)
        control = manager.run_dir / "control.sock"
        assert oct(control.stat().st_mode & 0o777) == "0o660"
        for command, code in ((["status"], 0), (["plan", str(path)], 5)):
            done = subprocess.run(
                [sys.executable, "-m", "wsgigroups", "--run-dir", str(manager.run_dir), *command],
                user=BOB_UID, group=BOB_UID, extra_groups=[STAFF_GID], env={"PATH": os.defpath, "HOME": "/"}, cwd="/",
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == code, done.stderr
    assert "may not POST /v1/plan" in manager.foreground_log()


def test_a_further_name_of_a_file_is_no_log(manager: ManagerUnderTest, precious: Path) -> None:
    shared = manager.base / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.link(precious, shared / "a.log")  # as a tenant could where fs.protected_hardlinks is off
    listen = f'listen = ["127.0.0.1:{manager.port()}"]\nuser = "alice"\n'
    refused(manager, f'[groups.a]\n{COMMON}{listen}error-log = "{shared}/a.log"', "a further name of another file")
    assert precious.read_text() == "precious"


def test_a_socket_left_behind_with_its_owner_is_replaced(manager: ManagerUnderTest) -> None:
    """After the loss of power the file belongs to socket-user; nobody else could have made it there."""
    path = manager.base / "a.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    os.chown(path, BOB_UID, -1)
    manager.apply(f'[groups.a]\n{COMMON}listen = ["unix:{path}"]\nuser = "alice"\nsocket-user = "bob"\n')
    assert path.stat().st_uid == BOB_UID
