"""read-only-paths, read-write-paths and protect-home: what a tenant tries with files that are its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.attempts import Tenant

from wsgigroups.runtime import kernel
from wsgigroups.runtime.confinement import landlock, mounts, seccomp
from wsgigroups.runtime.wire.spec import Confinement

pytestmark = pytest.mark.skipif(landlock.abi() < 3, reason="takes Landlock of Linux 6.2")


class Places:
    """A directory of the tenant's with a protected and an open part, made anew for each process."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.base = tenant.directory / "site"
        self.kept = self.base / "kept"
        self.inner = self.kept / "inner"
        self.free = self.base / "free"

    def prepare(self) -> None:
        """Make everything as it was."""
        shutil.rmtree(self.base, ignore_errors=True)
        for directory in (self.base, self.kept, self.inner, self.free):
            directory.mkdir()
            self.tenant.own(directory)
        for path in (self.kept / "file", self.kept / "other", self.inner / "file", self.free / "file"):
            path.write_text("text")
            self.tenant.own(path)


@pytest.fixture
def places(tenant: Tenant) -> Places:
    return Places(tenant)


def writing(kept: Path, free: Path) -> dict[str, str]:
    """Ways to change what is in a directory."""
    return {
        f"open('{kept}/file', 'a')": "EACCES",
        f"open('{kept}/new', 'x')": "EACCES",
        f"os.truncate('{kept}/file', 0)": "EACCES",
        f"os.rename('{kept}/file', '{kept}/renamed'); os.rename('{kept}/renamed', '{kept}/file')": "EACCES",
        f"os.rename('{kept}/other', '{free}/taken'); os.rename('{free}/taken', '{kept}/other')": "EACCES",
        f"os.link('{free}/file', '{kept}/link')": "EACCES",
        f"os.symlink('/', '{kept}/symlink')": "EACCES",
        f"os.mkdir('{kept}/directory')": "EACCES",
        f"os.mkfifo('{kept}/fifo')": "EACCES",
        f"socket.socket(socket.AF_UNIX).bind('{kept}/socket')": "EACCES",
        f"subprocess.run(['/bin/sh', '-c', 'echo >{kept}/file'], stderr=-3).returncode and os.chdir('/no')": "ENOENT",
        f"os.unlink('{kept}/other')": "EACCES",
    }


def harmless(kept: Path, free: Path) -> dict[str, str]:
    """What has to work all the same."""
    return {
        f"open('{kept}/file').read(); os.listdir('{kept}')": "done",
        f"open('{free}/fresh', 'x').write('a'); os.rename('{free}/fresh', '{free}/fresher')": "done",
        f"os.mkdir('{free}/d'); os.rename('{free}/fresher', '{free}/d/f'); os.truncate('{free}/d/f', 0)": "done",
        "open('/dev/null', 'w').write('x'); open('/dev/urandom', 'rb').read(1)": "done",
        "os.listdir('/'); os.listdir('/etc')": "done",
        "subprocess.run(['/bin/true'], check=True)": "done",
        "import colorsys; threading.Thread(target=print).start()": "done",
    }


def test_read_only_paths(tenant: Tenant, places: Places) -> None:
    attempts = {**writing(places.kept, places.free), **harmless(places.kept, places.free)}
    life = tenant.check(Confinement(read_only_paths=(str(places.kept),)), attempts, places.prepare)
    assert life.report == {"read-only-paths": ["enforced", ""]}  # type: ignore[attr-defined]


def test_a_writable_directory_in_a_system_that_is_read_only(tenant: Tenant, places: Places) -> None:
    confinement = Confinement(read_only_paths=("/",), read_write_paths=(str(places.free), str(places.inner)))
    inner = {f"open('{places.inner}/file', 'a'); open('{places.inner}/new', 'x')": "done"}
    attempts = {**writing(places.kept, places.free), **harmless(places.kept, places.free), **inner}
    tenant.check(confinement, attempts, places.prepare)


def test_a_read_only_directory_in_a_writable_one(tenant: Tenant, places: Places) -> None:
    confinement = Confinement(
        read_only_paths=(str(places.base), str(places.inner)), read_write_paths=(str(places.kept),)
    )
    places.prepare()
    life = tenant.start(confinement)
    outcomes = {
        f"open('{places.inner}/file', 'a')": "EACCES",
        f"open('{places.kept}/file', 'a')": "done",
        f"open('{places.free}/file', 'a')": "EACCES",
        f"open('{places.kept}/new', 'x')": "EACCES",  # nothing new beside what is protected
    }
    assert tenant.outcomes(life, outcomes) == outcomes


def test_a_link_of_the_tenant_opens_nothing(tenant: Tenant, places: Places) -> None:
    """A symbolic link in place of a directory that may be written to would lift read-only-paths everywhere."""
    places.prepare()
    link = places.base / "link"
    link.symlink_to("/")
    if os.geteuid() == 0:
        os.lchown(link, 61001, 61001)
    life = tenant.start(Confinement(read_only_paths=("/",), read_write_paths=(str(link),)))
    expected = "EACCES" if os.geteuid() == 0 else "done"  # an ordinary user's manager is the tenant itself
    attempt = f"open('{places.kept}/file', 'a')"
    assert tenant.outcomes(life, {attempt: ""}) == {attempt: expected}
    if os.geteuid() == 0:
        assert life.report["read-write-paths"][0] == "partly"  # type: ignore[attr-defined]


@pytest.mark.root
def test_protect_home(tenant: Tenant) -> None:
    home = Path("/home/wsgigroups-test-home")
    home.mkdir(mode=0o755)
    try:
        (home / "file").write_text("secret")
        tenant.own(home)
        tenant.own(home / "file")
        reading = {
            f"open('{home}/file').read()": "EACCES",
            f"os.listdir('{home}')": "EACCES",
            "os.listdir('/home')": "EACCES",
            "os.listdir('/run/user') if os.path.isdir('/run/user') else open('/home')": "EACCES",
            f"open('{home}/file', 'a')": "EACCES",
            f"open('/proc/self/root{home}/file').read()": "EACCES",
        }
        reading = {code: how for code, how in reading.items() if "run/user" not in code or Path("/run/user").is_dir()}
        works = {"os.listdir('/etc'); open('/etc/passwd').read(); import colorsys": "done"}
        tenant.check(Confinement(protect_home="yes"), {**reading, **works}, lambda: None)
        writing = {f"open('{home}/file', 'a')": "EACCES", f"open('{home}/new', 'x'); os.unlink('{home}/new')": "EACCES"}
        works = {f"open('{home}/file').read()": "done"}
        tenant.check(Confinement(protect_home="read-only"), {**writing, **works}, lambda: None)
    finally:
        for path in home.iterdir():
            path.unlink()
        home.rmdir()


def process_outside(tenant: Tenant) -> str:
    """The pid of a process of the tenant's that can be looked into: execve(2) has made it so."""
    code = "outcome = subprocess.Popen(['/bin/sleep', '600']).pid"
    return tenant.outcomes(tenant.start(), {code: ""})[code]


def test_processes_outside_are_out_of_reach(tenant: Tenant, places: Places) -> None:
    """A process of the same user that is not confined would do what the confined one may not."""
    places.prepare()
    pid = process_outside(tenant)
    peeking = {
        f"open('/proc/{pid}/root{places.kept}/file').read()": "EACCES",
        f"open('/proc/{pid}/mem', 'rb')": "EACCES",
        f"os.readlink('/proc/{pid}/fd/0')": "EACCES",
    }
    tenant.check(Confinement(read_only_paths=(str(places.kept),)), peeking, lambda: None)


def test_a_kernel_whose_landlock_does_not_see_truncation(places: Places) -> None:
    """The rules of Linux 5.19 with the filter that goes with them, in a process of the test's own."""
    places.prepare()
    file, free = str(places.kept / "file"), str(places.free / "file")
    outcomes = (
        (lambda: os.truncate(file, 0), 1),  # EPERM
        (lambda: os.close(os.open(file, os.O_RDONLY | os.O_TRUNC)), 1),
        (lambda: os.close(os.open(file, os.O_WRONLY | os.O_TRUNC)), 13),  # EACCES
        (lambda: os.close(os.open(free, os.O_WRONLY | os.O_TRUNC)), 0),
        (lambda: os.close(os.open(file, os.O_RDONLY)), 0),
    )
    child = os.fork()
    if child == 0:
        wrong = 255
        try:
            rules = landlock.rules_of({mounts.resolved(str(places.kept)): landlock.READABLE}, 2)
            kernel.set_no_new_privileges()
            rules.enforce()
            seccomp.install(seccomp.truncation(seccomp.here()))
            wrong = sum(1 << i for i, (attempt, expected) in enumerate(outcomes) if errno_of(attempt) != expected)
        finally:
            os._exit(wrong)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 0, "a bit for each attempt that ended otherwise"
    assert Path(file).read_text() == "text"


def errno_of(attempt: Callable[[], None]) -> int:
    try:
        attempt()
    except OSError as error:
        return error.errno or -1
    return 0
