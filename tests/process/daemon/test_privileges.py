"""Each step of the privilege drop, failing and pretending: strace injects the error, or a success that did nothing.

The application must not have run a byte, and the exit code must name the step.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import Manager
from support.users import ALICE

from wsgigroups.runtime.wire import exits
from wsgigroups.runtime.wire.spec import Application, Identity

pytestmark = [pytest.mark.root, pytest.mark.needs("strace", "setpriv")]
Script = Callable[..., Application]


def _prctl_number_of_no_new_privileges() -> int:
    """Return which of a daemon's prctl calls sets no_new_privs: after two readings and one emptying of the set."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    reading = int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 2  # the last one says EINVAL
    return 2 * reading + int(status["CapBnd"], 16).bit_count() + 2


ERRORS = [
    ("setsid", "EPERM", "session"),
    ("prlimit64", "EPERM:when=3", "limits"),  # after the soft limit of descriptors; the spawner makes three
    ("setpriority", "EACCES", "priority"),
    ("dup2,dup3", "EBADF", "descriptors"),
    ("chroot", "EPERM", "chroot"),
    ("chdir", "EACCES:when=2", "home"),  # the first one follows chroot
    ("chdir", "EACCES", "chroot"),
    ("prctl", "EPERM", "capabilities"),
    ("prctl", "EINVAL", "capabilities"),
    ("capset", "EPERM", "capabilities"),
    ("keyctl", "EACCES", "keyring"),
    ("keyctl", "EPERM:when=4", "keyring"),  # the one that the new user makes
    ("setgroups", "EPERM", "groups"),
    ("setgroups", "ENOMEM", "groups"),
    ("setresgid", "EPERM", "group"),
    ("setresgid", "EINVAL", "group"),
    ("setresuid", "EAGAIN", "user"),  # the tenant is at its limit of processes
    ("setresuid", "EPERM", "user"),
]
PRETENDED = [
    ("setsid", "1", "session"),
    ("setpriority", "0", "priority"),
    ("chroot", "0", "chroot"),
    ("chdir", "0:when=2", "home"),
    ("prctl", "0", "proof"),
    ("keyctl", "7", "keyring"),
    ("setgroups", "0", "proof"),
    ("setresgid", "0", "proof"),
    ("setresuid", "0", "proof"),
    ("prctl", f"0:when={_prctl_number_of_no_new_privileges()}", "no-new-privileges"),
]


@pytest.fixture
def marker(workspace: Path) -> Path:
    """A place where the application leaves its mark as soon as a byte of it runs."""
    directory = workspace / "jail" / "marks"
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    return directory / "mark"


def assert_fails(manager: Manager, marker: Path, step: str, **changes: object) -> None:
    (marker.parent.parent / "app.wsgi").write_text("open('/marks/mark', 'w').close()\napplication = print\n")
    changes = {
        "cpu_priority": 5 + (os.getpriority(os.PRIO_PROCESS, 0) == 5),  # another one than the tests themselves have
        "rlimits": {"NOFILE": (50, 60)},
        "chroot": str(marker.parent.parent),
        "home": "/marks",
        **changes,
    }
    life = manager.fork(Application("script", "/app.wsgi"), **changes)
    failed = life.failed()
    assert failed.step == step, failed
    assert failed.message.startswith("cannot ")
    assert manager.wait_exited(life).exit_code == exits.STEPS[step]
    assert failed.message.splitlines()[0] in life.log + manager.spawner_log
    assert not marker.exists()


def traced(manager: Manager, what: str, *before: str) -> None:
    manager.start(prefix=(*before, "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={what}"))


@pytest.mark.parametrize(("call", "error", "step"), ERRORS, ids=lambda value: value.replace(":", " "))
def test_error(managers: Callable[..., Manager], marker: Path, call: str, error: str, step: str) -> None:
    manager = managers()
    traced(manager, f"{call}:error={error}")
    assert_fails(manager, marker, step)


@pytest.mark.parametrize(("call", "value", "step"), PRETENDED, ids=lambda value: value.replace(":", " "))
def test_pretended_success(managers: Callable[..., Manager], marker: Path, call: str, value: str, step: str) -> None:
    manager = managers()
    traced(manager, f"{call}:retval={value}")
    assert_fails(manager, marker, step)


def test_inheritable_capabilities_that_only_seem_to_go(managers: Callable[..., Manager], marker: Path) -> None:
    manager = managers()
    traced(manager, "capset:retval=0", "setpriv", "--inh-caps", "+chown")
    assert_fails(manager, marker, "proof")


def test_inheritable_capabilities_go(managers: Callable[..., Manager], script: Script) -> None:
    manager = managers()
    manager.start(prefix=("setpriv", "--inh-caps", "+chown"))
    life = manager.fork(script("def application(environ, start_response): ..."))
    life.ready()
    assert "CapInh:\t0000000000000000\n" in Path(f"/proc/{life.pid}/status").read_text()


@pytest.mark.parametrize(
    ("capability", "step"), [("setuid", "user"), ("setgid", "groups"), ("setpcap", "capabilities")]
)
def test_manager_without_the_capability(
    managers: Callable[..., Manager], marker: Path, capability: str, step: str
) -> None:
    manager = managers()
    manager.start(prefix=("setpriv", "--bounding-set", f"-{capability}"))
    assert_fails(manager, marker, step)


@pytest.mark.parametrize(
    ("identity", "step"),
    [
        (None, "user"),
        (Identity(0, ALICE, (ALICE,)), "user"),
        (Identity(-1, ALICE, (ALICE,)), "user"),
        (Identity(ALICE, 0, (ALICE,)), "group"),
        (Identity(ALICE, -1, (ALICE,)), "group"),
        (Identity(ALICE, ALICE, (ALICE, 0)), "group"),
        (Identity(2**32, ALICE, (ALICE,)), "user"),
        (Identity(2**32 - 1, ALICE, (ALICE,)), "user"),
    ],
    ids=str,
)
def test_root_is_refused_here_too(manager: Manager, marker: Path, identity: Identity | None, step: str) -> None:
    assert_fails(manager, marker, step, identity=identity)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"home": "/absent"}, "home"),
        ({"home": "/private"}, "home"),
        ({"rlimits": {"NOFILE": (10, 5)}}, "limits"),
        ({"rlimits": {"NONSENSE": (1, 1)}}, "limits"),
        ({"oom_score_adj": 5000}, "priority"),
        ({"chroot": "/absent"}, "chroot"),
        ({"environment": {"A=B": "c"}}, "environment"),
        ({"environment": {"A": "\0"}}, "environment"),
    ],
    ids=str,
)
def test_wrong_surroundings(manager: Manager, marker: Path, changes: dict[str, object], step: str) -> None:
    (marker.parent.parent / "private").mkdir(mode=0o700)
    assert_fails(manager, marker, step, **changes)


@pytest.mark.parametrize("error", ["error=EDQUOT:when=4", "error=ENOSYS"])
def test_a_user_without_room_for_keyrings_or_a_kernel_without_them_is_served(
    managers: Callable[..., Manager], script: Script, error: str
) -> None:
    manager = managers()
    traced(manager, f"keyctl:{error}")
    manager.fork(script("def application(environ, start_response): ...")).ready()
