"""The session keyring of whoever started the manager: no daemon has it, so no application reads or overwrites its keys.

The key of these tests lives in a keyring that the test made for itself, and dies with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.processes import Manager
from support.users import ALICE, identity

from wsgigroups.runtime import kernel
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


@pytest.mark.ordinary
@pytest.mark.needs("strace")
def test_an_ordinary_users_application_has_the_spawners_when_there_is_no_quota_for_more(
    key: int, managers: Callable[..., Manager], script: Script
) -> None:
    manager = managers()
    manager.start(prefix=("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=keyctl:error=EDQUOT:when=2..3"))
    # a thread's calls are counted anew: the application passes over those that fail
    application = script(REPORT.replace("    body", "    [read(0) for _ in range(3)]\n    body"))
    assert told_by(manager, application, key) == {"keyring": "", "key": "EACCES"}
