"""What looks at a tenant's files for root, as the tenant: nothing to type into, nothing to gain, no time to steal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import ALICE_UID, BOB_UID
from support.interpreters import Accessible

from wsgigroups.trust.helpers import Account, HelperError, read_file, run_helper

ALICE = Account(ALICE_UID, ALICE_UID, (ALICE_UID,), "alice")
SAYS_WHO = """
import json, os, sys
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
try:
    os.open("/dev/tty", os.O_RDWR)
    terminal = True
except OSError:
    terminal = False
print(json.dumps({
    "ids": os.getresuid() + os.getresgid(), "groups": os.getgroups(), "own session": os.getsid(0) == os.getpid(),
    "terminal": terminal, "sets": sorted({status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd")}),
    "no new privileges": status["NoNewPrivs"], "given": sys.stdin.read(), "environment": sorted(os.environ),
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1], "directory": os.getcwd(),
    "oom": open("/proc/self/oom_score_adj").read().strip(),
}))
"""


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory that alice can write."""
    with tempfile.TemporaryDirectory(prefix="wg-", dir="/tmp") as directory:
        path = Path(directory)
        path.chmod(0o755)
        os.chown(path, ALICE_UID, ALICE_UID)
        yield path


def _usable(interpreters: Accessible) -> str:
    """An interpreter that every account can execute, of our own version."""
    return str(interpreters.get(f"{sys.version_info[0]}.{sys.version_info[1]}"))


def ask(account: Account | None, code: str, executable: str, timeout_s: float = 20.0, limit: int = 65536) -> bytes:
    status, output = run_helper(account, [executable, "-I", "-S", "-c", code], b"data", timeout_s, limit)
    assert status == 0
    return output


@pytest.mark.root
def test_a_helper_is_the_tenant_and_nothing_more(interpreters: Accessible) -> None:
    said = json.loads(ask(ALICE, SAYS_WHO, _usable(interpreters)))
    assert said == {
        "ids": [ALICE_UID] * 6,
        "groups": [ALICE_UID],
        "own session": True,
        "terminal": False,
        "sets": ["0" * 16],
        "no new privileges": "1",
        "given": "data",
        "environment": ["LC_ALL", "PATH"],
        "descriptors": ["0", "1", "2"],
        "directory": "/",
        "oom": "0",
    }


@pytest.mark.root
def test_a_helper_does_not_have_roots_terminal(interpreters: Accessible) -> None:
    """In a process whose controlling terminal it is: nobody can push input into it (TIOCSTI)."""
    code = (
        "from wsgigroups.trust.helpers import *\n"
        "import fcntl, os, sys, termios\n"
        "os.open('/dev/tty', os.O_RDWR)\n"
        "code = 'import os; os.open(\"/dev/tty\", os.O_RDWR)'\n"
        f"alice = Account({ALICE_UID}, {ALICE_UID})\n"
        "status, _ = run_helper(alice, [sys.argv[1], '-I', '-S', '-c', code], b'', 20, 99)\n"
        "os._exit(0 if status == 1 else 3)"
    )
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-c", code, _usable(interpreters)])
    _pid, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


def test_one_of_our_own_has_no_terminal_either() -> None:
    said = json.loads(ask(None, SAYS_WHO, sys.executable))
    assert said["own session"]
    assert not said["terminal"]
    assert said["no new privileges"] == "1"
    assert "0" * 16 in said["sets"]


def test_time_and_output_are_bounded_whatever_is_left_behind() -> None:
    # the one in a session of its own goes when nobody reads any more
    until_unread = "import os, select\npoll = select.poll()\npoll.register(1, 0)\n"
    lasting = f"{until_unread}if os.fork() == 0: os.setsid()\npoll.poll()"
    with pytest.raises(HelperError, match="no answer within 1 s"):
        ask(None, lasting, sys.executable, 1.0)
    holding = f"{until_unread}if os.fork() == 0: poll.poll()"
    with pytest.raises(HelperError, match="no answer within 1 s"):
        ask(None, holding, sys.executable, 1.0)
    with pytest.raises(HelperError, match="more than 1 KiB"):
        ask(None, "print('x' * 2000)", sys.executable, 20.0, 1024)


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
def test_only_regular_files_are_read_and_nothing_is_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "env"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        read_file("/dev/zero" if kind == "device" else str(path), Account(os.geteuid(), os.getegid()), 100)


@pytest.mark.root
def test_files_of_a_tenant(theirs: Path) -> None:
    path = theirs / "env"
    path.write_text("A=1\n")
    assert read_file(str(path), ALICE, 4) == b"A=1\n"
    with pytest.raises(OSError, match="larger than 0 KiB"):
        read_file(str(path), ALICE, 3)
    path.unlink()
    path.symlink_to("/etc/shadow")
    with pytest.raises(OSError, match="user alice cannot read it"):
        read_file(str(path), ALICE, 65536)
    path.unlink()
    os.mkfifo(path, 0o666)
    os.chown(path, ALICE_UID, ALICE_UID)
    with pytest.raises(OSError, match="not a regular file"):
        read_file(str(path), ALICE, 100)


def test_a_file_of_our_own_that_is_too_large_is_not_cut(tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"A=1\n" * 1024)
    account = Account(os.geteuid(), os.getegid())
    assert len(read_file(str(tmp_path / "env"), account, 4096)) == 4096
    with pytest.raises(OSError, match="larger than 3 KiB"):
        read_file(str(tmp_path / "env"), account, 4095)


@pytest.mark.root
def test_what_another_tenant_cannot_read_is_not_read_for_it(theirs: Path) -> None:
    path = theirs / "env"
    path.write_text("A=1\n")
    path.chmod(0o600)
    bob = Account(BOB_UID, BOB_UID, (BOB_UID,), "bob")
    with pytest.raises(OSError, match="user bob cannot read it"):
        read_file(str(path), bob, 100)
    assert subprocess.run(["test", "-r", str(path)], check=False).returncode == 0


def test_a_helper_has_what_it_is_to_keep_and_nothing_else(tmp_path: Path) -> None:
    kept = os.open(tmp_path, os.O_RDONLY | os.O_CLOEXEC)
    other = os.open(tmp_path, os.O_RDONLY | os.O_CLOEXEC)
    code = (
        "import json, os; found = os.listdir('/proc/self/fd')\n"  # its own is closed by then
        "print(json.dumps(sorted(int(fd) for fd in found if os.path.exists(f'/proc/self/fd/{fd}'))))"
    )
    try:
        program = [sys.executable, "-I", "-S", "-c", code]
        status, output = run_helper(None, program, b"", 20.0, 65536, (kept,))
        assert (status, json.loads(output)) == (0, [0, 1, 2, kept])
    finally:
        os.close(kept)
        os.close(other)


def test_a_helper_ends_when_it_is_told_to() -> None:
    stop = os.eventfd(1)
    program = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    try:
        with pytest.raises(HelperError, match="stopped"):
            run_helper(None, program, b"", 60.0, 10, (), stop)
    finally:
        os.close(stop)
