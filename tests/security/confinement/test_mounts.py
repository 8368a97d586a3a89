"""Private mounts: what a tenant cannot see, and what it cannot undo, as root's group and as an ordinary user's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.attempts import Tenant

from wsgigroups.runtime.confinement import mounts
from wsgigroups.runtime.wire.spec import Confinement


def _possible() -> bool:
    options = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-user=1000", "--mount"]
    return subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _possible(), reason="takes a mount namespace, which this host does not allow")
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000


def undoing(path: Path) -> dict[str, str]:
    """Ways to see what was covered: unmount it, in a user namespace too, or go round it."""
    numbers = {"x86_64": (166, 272), "aarch64": (39, 97)}[os.uname().machine]
    umount, unshare = numbers
    return {
        f"call({umount}, b'{path}', 2)": "EPERM",
        f"""
        child = os.fork()
        if not child:
            try:
                call({unshare}, {CLONE_NEWUSER | CLONE_NEWNS})
                call({umount}, b'{path}', 2)
            except OSError as error:
                os._exit(error.errno)
            os._exit(0)
        raise OSError(os.WEXITSTATUS(os.waitpid(child, 0)[1]), "")
        """: "EINVAL",
        f"os.chmod('{path}', 0o777)": "EROFS",
    }


def test_inaccessible_paths(tenant: Tenant) -> None:
    directory, file = tenant.directory / "hidden", tenant.directory / "secret"
    directory.mkdir()
    (directory / "inside").write_text("secret")
    file.write_text("secret")
    for path in (directory, directory / "inside", file):
        tenant.own(path)
    attempts = {
        f"os.listdir('{directory}')": "EACCES",
        f"open('{directory}/inside').read()": "EACCES",
        f"open('{directory}/new', 'w')": "EACCES",
        f"open('{file}').read()": "EACCES",
        f"open('{file}', 'a')": "EACCES",
        f"open('/proc/self/root{file}').read()": "EACCES",
        f"os.rename('{file}', '{file}.moved'); os.rename('{file}.moved', '{file}')": "EBUSY",
    }
    confinement = Confinement(inaccessible_paths=(str(directory), str(file)))
    life = tenant.check(confinement, attempts, lambda: None)
    assert life.report == {"inaccessible-paths": ["enforced", ""]}  # type: ignore[attr-defined]
    for path in (directory, file):
        assert tenant.outcomes(life, undoing(path)) == undoing(path)


def test_private_tmp(tenant: Tenant) -> None:
    theirs = [Path(name, "wsgigroups-of-somebody-else") for name in ("/tmp", "/var/tmp")]
    try:
        for path in theirs:
            path.write_text("text")
            path.chmod(0o644)
        attempts = {f"open('{path}').read()": "ENOENT" for path in theirs}
        works = {"import tempfile; tempfile.TemporaryFile().write(b'x'); open('/tmp/ours', 'w').write('x')": "done"}
        tenant.check(Confinement(private_tmp=True, read_only_paths=("/",)), {**attempts, **works}, lambda: None)
        other = tenant.start(Confinement(private_tmp=True))
        assert tenant.outcomes(other, {"open('/tmp/ours')": ""}) == {"open('/tmp/ours')": "ENOENT"}
    finally:
        for path in (*theirs, Path("/tmp/ours")):
            path.unlink(missing_ok=True)


@pytest.mark.parametrize(("how", "etc"), [("yes", "done"), ("full", "EROFS"), ("strict", "EROFS")])
def test_protect_system(tenant: Tenant, how: str, etc: str) -> None:
    """What stops an ordinary user anyway is told apart by the errno: EROFS comes before EACCES."""
    free = tenant.directory / "free"
    free.mkdir()
    tenant.own(free)
    confinement = Confinement(protect_system=how, read_write_paths=(str(free),))
    life = tenant.start(confinement)
    expected = {
        "os.utime('/usr/bin/env')": "EROFS",
        "os.chmod('/usr/bin', 0o777)": "EROFS",
        "os.utime('/etc/passwd')": etc if etc != "done" else "EACCES",
        f"open('{tenant.directory}/file', 'w')": "done",  # in /dev/shm, and /dev is left alone
        f"open('{free}/file', 'w')": "done",
        "open('/var/tmp/wsgigroups-of-the-tenant', 'w'); os.unlink('/var/tmp/wsgigroups-of-the-tenant')": (
            "EROFS" if how == "strict" else "done"
        ),
        "open('/dev/null', 'w').write('x')": "done",
    }
    assert tenant.outcomes(life, expected) == expected


def test_private_devices(tenant: Tenant) -> None:
    expected = {
        "outcome = sorted(os.listdir('/dev'))": "",
        "os.openpty(); open('/dev/full', 'r'); open('/dev/zero', 'rb').read(1)": "done",
        "open('/dev/new', 'w')": "EROFS",
        "import multiprocessing; multiprocessing.Lock()": "done",
    }
    found = tenant.outcomes(tenant.start(Confinement(private_devices=True)), expected)
    devices = set(eval(found.pop(next(iter(expected)))))
    allowed = {"null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "mqueue", "hugepages", "ptmx", "log"}
    assert {"null", "zero", "urandom"} <= devices <= allowed | {"fd", "stdin", "stdout", "stderr"}
    assert found == dict(list(expected.items())[1:])


@pytest.mark.root
@pytest.mark.parametrize("how", ["invisible", "noaccess", "ptraceable"])
def test_protect_proc(tenant: Tenant, how: str) -> None:
    """Somebody else's processes: not to be seen, or not to be read."""
    other = f"open('/proc/{os.getpid()}/stat').read()"
    attempts = {other: "EPERM" if how == "noaccess" else "ENOENT", "open('/proc/self/stat').read()": "done"}
    tenant.check(Confinement(protect_proc=how), attempts, lambda: None)


@pytest.mark.ordinary
def test_an_ordinary_user_is_told_what_it_cannot_have(tenant: Tenant) -> None:
    life = tenant.start(Confinement(protect_proc="invisible", private_tmp=True))
    assert life.report["protect-proc"][0] == "missing"  # type: ignore[attr-defined]
    assert life.report["private-tmp"] == ["enforced", ""]  # type: ignore[attr-defined]
    assert "protect-proc is not enforced" in life.log


def test_a_path_that_is_not_there_does_not_open_the_others(tenant: Tenant) -> None:
    secret = tenant.directory / "secret"
    secret.write_text("secret")
    tenant.own(secret)
    life = tenant.start(Confinement(inaccessible_paths=("/nowhere/at/all", str(secret))))
    assert life.report["inaccessible-paths"][0] == "partly"  # type: ignore[attr-defined]
    assert tenant.outcomes(life, {f"open('{secret}')": ""}) == {f"open('{secret}')": "EACCES"}


def test_processes_outside_are_out_of_reach(tenant: Tenant) -> None:
    """/proc/PID/root of a process with the same user would show what is hidden."""
    secret = tenant.directory / "secret"
    secret.write_text("secret")
    tenant.own(secret)
    code = "outcome = subprocess.Popen(['/bin/sleep', '600']).pid"
    pid = tenant.outcomes(tenant.start(), {code: ""})[code]
    attempts = {f"open('/proc/{pid}/root{secret}').read()": "EACCES"}
    tenant.check(Confinement(inaccessible_paths=(str(secret),)), attempts, lambda: None)


def test_the_working_directory_is_no_way_out(tenant: Tenant) -> None:
    """The directory that the spawner was started in, in a process of the test's own."""
    hidden = tenant.directory / "hidden"
    hidden.mkdir()
    (hidden / "file").write_text("secret")
    child = os.fork()
    if child == 0:
        seen = True
        try:
            os.chdir(hidden)
            mounts.enter_namespace(is_root=os.geteuid() == 0)
            mounts.hide(str(hidden))
            assert os.path.exists("file")
            mounts.settle()
            seen = os.path.exists("file")
        finally:
            os._exit(seen)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 0
