"""As root: again and again a component is exchanged while we walk, open, make, bind and give away. Nothing else is hit.

The tenant renames in a loop of its own process, as fast as the kernel lets it (rename(2), RENAME_EXCHANGE).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.accounts import ALICE_UID, BOB_UID

from wsgigroups.trust.judging import ROOT_ALONE
from wsgigroups.trust.sockets import bind_unix, remove_stale
from wsgigroups.trust.walking import make_directories, open_to_append

pytestmark = pytest.mark.root

ROUNDS = 2_500  # of each test: more than 20,000 in all
FEWEST_SWAPS = 100  # a machine with one processor lets the two take turns, and not often
SWAPPER = """
import ctypes, os, signal, sys
first, second, flags = sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])
over = []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
rename = ctypes.CDLL(None).renameat2
print("ready", flush=True)
done = 0
while not over:
    done += rename(-100, first, -100, second, flags) == 0
    done += rename(-100, second, -100, first, flags) == 0
print(done)
"""
EXCHANGE, NOREPLACE = 2, 1


@pytest.fixture
def ground() -> Iterator[Path]:
    """A directory that everybody can enter, with what nobody else may touch in `precious`."""
    with tempfile.TemporaryDirectory(prefix="wg-swaps-", dir="/tmp") as directory:
        base = Path(directory)
        base.chmod(0o755)
        (base / "precious").mkdir(mode=0o700)
        (base / "precious" / "log").write_text("precious")
        (base / "precious" / "log").chmod(0o600)
        before = facts(base / "precious")
        yield base
        assert facts(base / "precious") == before


def facts(directory: Path) -> list[tuple[object, ...]]:
    """What the directory has: names, owners, modes, times of change, contents."""
    found: list[tuple[object, ...]] = []
    for path in [directory, *sorted(directory.iterdir())]:
        seen = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found.append((path.name, seen.st_uid, seen.st_gid, seen.st_mode, seen.st_nlink, seen.st_ctime_ns, content))
    return found


@contextlib.contextmanager
def swapping(first: Path, second: Path, flags: int) -> Iterator[None]:
    """alice renames these two; in the end she must have done it often."""
    command = [sys.executable, "-I", "-S", "-c", SWAPPER, str(first), str(second), str(flags)]
    with subprocess.Popen(command, user=ALICE_UID, group=ALICE_UID, extra_groups=[], stdout=subprocess.PIPE) as tenant:
        assert tenant.stdout is not None
        try:
            assert tenant.stdout.readline() == b"ready\n"
            yield
        finally:
            tenant.terminate()
        assert int(tenant.stdout.read()) > FEWEST_SWAPS


def append(path: Path) -> None:
    fd = open_to_append(str(path), ROOT_ALONE)
    os.write(fd, b"x")
    os.close(fd)


def make(path: Path) -> None:
    os.close(make_directories(str(path), ROOT_ALONE))


def bind(path: Path) -> None:
    remove_stale(str(path), ROOT_ALONE)
    bind_unix(str(path), ROOT_ALONE, mode=0o660, uid=BOB_UID, gid=BOB_UID).close()


def attempts(do: Callable[[], None], undo: Callable[[], None] = lambda: None) -> int:
    """How many of the rounds got through."""
    through = 0
    for _round in range(ROUNDS):
        try:
            do()
        except OSError:
            continue
        through += 1
        undo()
    return through


@pytest.mark.parametrize("work", [append, make, bind])
def test_a_directory_of_a_tenants_is_never_a_way(ground: Path, work: Callable[[Path], None]) -> None:
    """What is there one moment is a directory, the next a link to what is root's alone."""
    home = ground / "home"
    (home / "real").mkdir(parents=True)
    (home / "link").symlink_to(ground / "precious")
    for path in (home, home / "real", home / "link"):
        os.chown(path, ALICE_UID, ALICE_UID, follow_symlinks=False)
    with swapping(home / "real", home / "link", EXCHANGE):
        assert attempts(lambda: work(home / "real" / "log")) == 0
    assert not list((home / "real").iterdir())
    assert {path.lstat().st_uid for path in home.iterdir()} == {ALICE_UID}


@pytest.mark.parametrize("work", [append, make, bind])
@pytest.mark.parametrize("names", ["log", "log/log"])
def test_a_name_in_a_sticky_directory_is_roots_or_nothing(
    ground: Path, work: Callable[[Path], None], names: str
) -> None:
    """What is not there one moment is alice's link the next: what we make is ours, and what is hers stays hers."""
    shared = ground / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    spare, ours = shared / "spare", shared / "log"
    spare.symlink_to(ground / "precious" / "log" if names == "log" else ground / "precious")
    os.chown(spare, ALICE_UID, ALICE_UID, follow_symlinks=False)

    def undo() -> None:
        made = shared / names
        assert made.lstat().st_uid == (BOB_UID if work is bind else 0)
        made.rmdir() if work is make else made.unlink()
        if made != ours:
            ours.rmdir()

    with swapping(spare, ours, NOREPLACE):
        attempts(lambda: work(shared / names), undo)
    assert {path.lstat().st_uid for path in shared.iterdir() if path.is_symlink()} == {ALICE_UID}
