"""Take each defence out, one at a time, and see that its test fails: `make mutants`. Not a part of CI.

tests/security/mutants.toml has the list: a file, a text that is in it exactly once, what stands there without the
defence, and the test. The file is changed in place and restored; a test that passes meanwhile proves nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import facts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tests/security/mutants.toml"
HUNG_S = 300.0
_TURNS = itertools.count(1)


@dataclass(frozen=True)
class Mutant:
    """One line of a defence. root: its test needs root; ordinary: it must not be root."""

    file: str
    old: str
    new: str
    test: str
    root: bool = False
    ordinary: bool = False


def read() -> list[Mutant]:
    """The list."""
    return [Mutant(**entry) for entry in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutants"]]


def found(mutant: Mutant) -> int:
    """How often its text is in its file: once, or it is about nothing."""
    return (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old)


@contextlib.contextmanager
def in_place(mutant: Mutant) -> Iterator[None]:
    """Change the file during the block. Its time differs each time, so that no compiled file is taken for another."""
    path = ROOT / mutant.file
    before, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(before.replace(mutant.old.encode(), mutant.new.encode()))
        changed_ns = times.st_mtime_ns + next(_TURNS) * 2_000_000_000
        os.utime(path, ns=(changed_ns, changed_ns))
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextlib.contextmanager
def as_account(*, ordinary: bool) -> Iterator[dict[str, Any]]:
    """What a command needs to run as who the test is for; as root the others run as the account of daemons."""
    if not ordinary or os.geteuid() != 0:
        yield {}
        return
    account = facts.daemon_account()
    with tempfile.TemporaryDirectory(prefix="wg-mutants-", dir="/tmp") as home:
        os.chown(home, account.uid, account.gid)
        environment = {**os.environ, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"}
        yield {"env": environment, **account.popen_arguments()}


def survives(mutant: Mutant) -> bool:
    """Whether its test passes without the defence."""
    # -x: one failure is enough
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", mutant.test]
    with in_place(mutant), as_account(ordinary=mutant.ordinary) as how:
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=HUNG_S, check=False, **how)
        except subprocess.TimeoutExpired:
            return False
    if done.returncode not in (0, 1):
        raise ValueError(f"pytest ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-2000:]}")
    return done.returncode == 0


def main(words: Sequence[str]) -> int:
    """Run those whose file, text or test has one of the words; all without words."""
    wanted = [m for m in read() if not words or any(word in f"{m.file} {m.old} {m.test}" for word in words)]
    left_out = [mutant for mutant in wanted if mutant.root and os.geteuid() != 0]
    survivors = []
    for mutant in wanted:
        if mutant in left_out:
            continue
        if found(mutant) != 1:
            raise ValueError(f"{mutant.file} has this {found(mutant)} times: {mutant.old!r}")
        alive = survives(mutant)
        print(f"{'SURVIVED' if alive else 'caught  '} {mutant.file}: {mutant.old.strip().splitlines()[0]}", flush=True)
        if alive:
            survivors.append(mutant)
    print(f"{len(wanted) - len(left_out)} tried, {len(survivors)} survived, {len(left_out)} left out: they need root")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
