"""Break the code on purpose, one line at a time, and see that a test fails: `make mutants`. Not a part of CI.

Each `mutants.toml` below tests/ is a list: a file, a text that is in it exactly once, what stands there instead, and
the test that has to fail. tests/security has the lines of each defence, tests/unit/plan those of the planner,
tests/unit/interop those of files for others, and tests/simulation those of the manager's core. A test that passes
meanwhile proves nothing.

What starts processes is changed in place and restored, one after another: a daemon imports what is installed. Pure code
is changed in copies of the tree, so that several run beside each other and beside the others.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import environment, facts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
HUNG_S = 300.0
PURE_CODE = ("wsgigroups/plan/", "wsgigroups/manager/core/", "wsgigroups/lifecycle/", "wsgigroups/interop/")
PURE_TESTS = ("tests/unit/", "tests/property/", "tests/simulation/")
COPIED = ("wsgigroups", "tests", "tools", "benchmarks")  # with pyproject.toml: all that pure tests import
# that a test fails is enough: the smallest example of it costs minutes, and so do histories in which nothing happens
QUICKLY = {"HYPOTHESIS_PROFILE": "unshrunk", "WSGIGROUPS_SEEDS": "0-799"}
_TURNS = itertools.count(1)


@dataclass(frozen=True)
class Mutant:
    """One line that is broken. root: its test needs root; ordinary: it must not be root."""

    file: str
    old: str
    new: str
    test: str
    root: bool = False
    ordinary: bool = False

    @property
    def pure(self) -> bool:
        """Whether neither the code nor the test starts a process: then a copy of the tree will do."""
        pure = self.file.startswith(PURE_CODE) and self.test.startswith(PURE_TESTS)
        return pure and not self.root and not self.ordinary

    def __str__(self) -> str:
        return f"{self.file}: {self.old.strip().splitlines()[0]}"


def read() -> list[Mutant]:
    """All lists."""
    lists = sorted((ROOT / "tests").rglob("mutants.toml"))
    return [Mutant(**entry) for path in lists for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mutants"]]


def found(mutant: Mutant) -> int:
    """How often its text is in its file: once, or it is about nothing."""
    return (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old)


@contextlib.contextmanager
def changed(mutant: Mutant, tree: Path) -> Iterator[None]:
    """Change the file during the block. Its time differs each time, so that no compiled file is taken for another."""
    path = tree / mutant.file
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
        yield {"env": {**os.environ, **QUICKLY}}
        return
    account = facts.daemon_account()
    with tempfile.TemporaryDirectory(prefix="wg-mutants-", dir="/tmp") as home:
        os.chown(home, account.uid, account.gid)
        more = {**QUICKLY, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"}
        yield {"env": {**os.environ, **more}, **account.popen_arguments()}


def survives(mutant: Mutant, tree: Path) -> bool:
    """Whether its test passes in this tree with the line broken."""
    # -x: one failure is enough
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", mutant.test]
    with changed(mutant, tree), as_account(ordinary=mutant.ordinary) as how:
        try:
            done = subprocess.run(command, cwd=tree, capture_output=True, timeout=HUNG_S, check=False, **how)
        except subprocess.TimeoutExpired:
            return False
    if done.returncode not in (0, 1):
        raise ValueError(f"pytest ended with {done.returncode}:\n{done.stdout.decode(errors='replace')[-2000:]}")
    return done.returncode == 0


@dataclass
class Round:
    """All that are to be tried, by several workers: the first has the tree itself, each a copy for pure code."""

    in_place: deque[Mutant]
    in_copies: deque[Mutant]
    tried: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._all = len(self.in_place) + len(self.in_copies)

    def run(self, jobs: int) -> None:
        """Try all of them. Raises ValueError for one that is about nothing, or whose test cannot run."""
        for mutant in (*self.in_place, *self.in_copies):
            if found(mutant) != 1:
                raise ValueError(f"{mutant.file} has this {found(mutant)} times: {mutant.old!r}")
        with ThreadPoolExecutor(jobs) as pool:
            workers = [pool.submit(self._work, whole=number == 0) for number in range(jobs)]
        for worker in workers:
            worker.result()

    def _work(self, *, whole: bool) -> None:
        while whole and self.in_place:
            self._try(self.in_place.popleft(), ROOT)
        if not self.in_copies:
            return
        with tempfile.TemporaryDirectory(prefix="wg-mutants-", dir="/tmp") as place:
            tree = Path(place, "tree")
            tree.mkdir()
            for name in COPIED:
                environment.copy_tree(ROOT / name, tree / name)
            (tree / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
            while True:
                try:
                    mutant = self.in_copies.popleft()
                except IndexError:
                    return
                self._try(mutant, tree)

    def _try(self, mutant: Mutant, tree: Path) -> None:
        began = time.monotonic()
        alive = survives(mutant, tree)
        self.tried += 1
        if alive:
            self.survivors.append(mutant)
        took_s = time.monotonic() - began
        how = "SURVIVED" if alive else "caught  "
        print(f"{self.tried:3}/{self._all} {how} {took_s:5.1f} s  {mutant}", flush=True)


def chosen(words: Sequence[str], share: str) -> list[Mutant]:
    """Return those whose file, text or test has one of the words, all without words; of these one share of several."""
    part, _, parts = share.partition("/")
    wanted = [m for m in read() if not words or any(word in f"{m.file} {m.old} {m.test}" for word in words)]
    return wanted[int(part) - 1 :: int(parts)]


def main(arguments: Sequence[str]) -> int:
    """Entry point; 1 when one survived."""
    parser = argparse.ArgumentParser(prog="tools.mutants")
    parser.add_argument("words", nargs="*", help="of their file, text or test; without words all of them")
    parser.add_argument("--jobs", type=int, default=2, help="so many at the same time (2)")
    parser.add_argument("--share", default="1/1", metavar="K/N", help="every Nth, from the Kth on")
    options = parser.parse_args(arguments)
    wanted, began = chosen(options.words, options.share), time.monotonic()
    left_out = [mutant for mutant in wanted if mutant.root and os.geteuid() != 0]
    mine = [mutant for mutant in wanted if mutant not in left_out]
    tries = Round(deque(m for m in mine if not m.pure), deque(m for m in mine if m.pure))
    tries.run(options.jobs)
    for mutant in tries.survivors:
        print(f"SURVIVED {mutant}\n         {mutant.test}")
    took_s = time.monotonic() - began
    counts = f"{tries.tried} tried, {len(tries.survivors)} survived, {len(left_out)} left out: they need root"
    print(f"{counts}; {took_s:.0f} s")
    return 1 if tries.survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
