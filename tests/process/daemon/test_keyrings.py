"""The session keyring of whoever started the manager: no daemon has it, so no application reads or overwrites its keys.

The key of these tests lives in a keyring that the test made for itself, and dies with it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from support.processes import Manager
from support.users import ALICE, identity

from wsgigroups.runtime import kernel
from wsgigroups.runtime.daemon import privileges
from wsgigroups.runtime.daemon.failure import StepError
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]

SECRET = b"4711-of-the-operator"
ADD_KEY = {"x86_64": 248, "aarch64": 217}
SESSION = -3  # KEY_SPEC_SESSION_KEYRING
REPORT = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def read(number):
    room = ctypes.create_string_buffer(4096)
    call = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
    size = libc.syscall(ctypes.c_long(call), ctypes.c_long(11), ctypes.c_long(number), room, ctypes.c_long(4096))
    return errno.errorcode[ctypes.get_errno()] if size < 0 else room.raw[:size].decode("latin-1")

def application(environ, start_response):
    body = json.dumps({"keyring": read(-3), "key": read(int(environ["PATH_INFO"][1:]))}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def key() -> int:
    """The serial number of a key in the session keyring of this process, which is a new one from here on."""
    kernel.join_new_session_keyring()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    number = ctypes.c_long(ADD_KEY[os.uname().machine])
    serial = int(libc.syscall(number, b"user", b"operator", SECRET, ctypes.c_long(len(SECRET)), ctypes.c_long(SESSION)))
    assert serial > 0, os.strerror(ctypes.get_errno())
    return serial


def told_by(manager: Manager, application: Application, key: int, **changes: Any) -> dict[str, str]:
    life = manager.fork(application, **changes)
    life.ready()
    status, body = life.get(f"/{key}")
    assert status == 200, life.log
    told: dict[str, str] = json.loads(body)
    return told


def test_a_process_that_inherits_the_keyring_reads_the_key(key: int) -> None:
    """Else the other tests would prove nothing."""
    call = f"environ = {{'PATH_INFO': '/{key}'}}\nprint(application(environ, lambda status, fields: None)[0].decode())"
    done = subprocess.run([sys.executable, "-c", REPORT + call], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["key"] == SECRET.decode()


def test_an_application_has_an_empty_keyring_of_its_own(key: int, manager: Manager, script: Script) -> None:
    assert told_by(manager, script(REPORT), key) == {"keyring": "", "key": "EACCES"}


@pytest.mark.root
def test_an_application_of_another_user_has_one_too(key: int, manager: Manager, script: Script) -> None:
    application = script(REPORT)
    os.chmod(application.target, 0o644)
    assert told_by(manager, application, key, identity=identity(ALICE)) == {"keyring": "", "key": "EACCES"}


def test_nobody_shares_the_keyring_of_whoever_started_the_manager(
    key: int, managers: Callable[..., Manager], script: Script
) -> None:
    """Not even who has no quota for another: a spawner that could not make one has the operator's."""
    manager = managers()
    manager.start(
        prefix=("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=keyctl:error=EDQUOT:when=2+")
    )  # the second call joins, in the spawner and in its children
    assert manager.fork(script(REPORT)).failed().step == "keyring"


OPERATORS, SPAWNERS = 7, 8


@pytest.mark.parametrize(
    ("uid", "inherited", "spawners", "parted", "shares"),
    [
        (4711, SPAWNERS, SPAWNERS, False, True),
        (4711, OPERATORS, SPAWNERS, False, False),
        (4711, OPERATORS, 0, False, False),
        (4711, OPERATORS, 0, True, True),  # that was made before the spawner became its user: it is not the operator's
        (0, SPAWNERS, SPAWNERS, False, False),  # or processes of several users would share it
    ],
)
def test_who_has_no_quota_for_one_more_shares_that_of_a_spawner_of_the_same_user(
    monkeypatch: pytest.MonkeyPatch, uid: int, inherited: int, spawners: int, parted: bool, shares: bool
) -> None:
    """A user may have 200 (keyrings(7)), and a manager more processes."""

    def no_quota() -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(kernel, "session_keyring", lambda: inherited)
    monkeypatch.setattr(kernel, "join_new_session_keyring", no_quota)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with nullcontext() if shares else pytest.raises(StepError, match="keyring"):
        privileges.leave_keyring(spawners, parted=parted)
    assert privileges.part_from_keyring() == 0


def test_a_spawner_knows_its_own_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [OPERATORS]

    def join() -> int:
        now[0] = SPAWNERS
        return SPAWNERS

    monkeypatch.setattr(kernel, "session_keyring", lambda: now[0])
    monkeypatch.setattr(kernel, "join_new_session_keyring", join)
    assert privileges.part_from_keyring() == SPAWNERS
    assert privileges.part_from_keyring() == 0  # the kernel has only said so
