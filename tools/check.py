"""`make test`, `make lint` and `make fast`: everything that CI runs, from a clone and nothing else.

As root there are four runs of the tests at the same time: two as an ordinary account, without the tests marked `root`,
and two as root. The two of an account share its test files: each takes the next one that the other has not taken
(`tests/support/sharing.py`). What is the same for every account is tested by one of the two accounts. Tests with a
bound on time follow by themselves. Where the ordinary account cannot read the clone, all use a copy that it can read.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import environment, facts, second_look
from tools.choose import SetUpError, choose_place
from tools.environment import CLONE, Recipe, say
from tools.lock import CONSTRAINTS
from tools.shares import (
    COVERED,
    ORDINARY_IS_ENOUGH,
    ROOT_IS_ENOUGH,
    Share,
    measured,
    shares,
    taken_branches,
    timed,
    without,
    without_accelerator,
)

INSTALLS = (
    ("--upgrade", "pip>=25.1"),  # the first that knows --group
    (
        "--constraint",
        CONSTRAINTS,
        "--editable",
        ".",
        "--group",
        "apps",
        "--group",
        "bench",
        "--group",
        "docs",
        "--group",
        "lint",
        "--group",
        "tests",
    ),
)
ACCELERATOR = (  # an editable install compiles it into the tree
    *("hatch_build.py", "wsgigroups/runtime/_accelerator.c", "wsgigroups/runtime/_accelerator_link.h"),
    "wsgigroups/runtime/_accelerator_gateway.h",
)
LINTS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
)
FAST_TESTS = ("tests/unit", "tests/property", "tests/simulation", "tests/repo")
HUNG_S = 40 * 60  # no program here takes a third of it
BEGAN = time.monotonic()
NOT_COPIED = (".build", ".git", ".hypothesis", ".mypy_cache", ".ruff_cache", ".venv", "dist", "node_modules", "site")


def succeeds(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a program; one that hangs is told to say where (pytest shows its stacks on SIGABRT), and is killed."""
    try:
        return process.wait(HUNG_S) == 0
    except subprocess.TimeoutExpired:
        say(f"[{time.monotonic() - BEGAN:4.0f} s] hung for {HUNG_S} s: {process.args!r}")
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        return False


@dataclass(frozen=True)
class Bench:
    """Where the work is done: a tree that everybody concerned can read, and its environment."""

    tree: Path
    binaries: Path
    account: facts.Account  # whose tests run as an ordinary user

    def environ(self) -> dict[str, str]:
        """Return the caller's environment with the environment's programs first and none of our own settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WSGIGROUPS_")}
        return {**kept, "PATH": f"{self.binaries}{os.pathsep}{kept.get('PATH', os.defpath)}"}

    def run(self, *command: str, **more: str) -> bool:
        """Run a program of the environment in the tree; tell whether it succeeded. more: environment variables."""
        say(f"\n[{time.monotonic() - BEGAN:4.0f} s] $ {' '.join(command)}")
        program = str(self.binaries / command[0])
        return succeeds(subprocess.Popen([program, *command[1:]], cwd=self.tree, env={**self.environ(), **more}))

    @contextlib.contextmanager
    def beside(self, command: Sequence[str], *, as_account: bool) -> Iterator[list[bool]]:
        """Run a program beside the block; afterwards the list has whether it succeeded.

        Its output follows that of the block.
        """
        succeeded: list[bool] = []
        run = self._run_as_account if as_account else self._run_into
        began = time.monotonic()
        took_s: list[float] = []

        def work() -> None:
            succeeded.append(run(output.fileno(), *command))
            took_s.append(time.monotonic() - began)

        with tempfile.TemporaryFile() as output:
            beside = threading.Thread(target=work)
            beside.start()
            try:
                yield succeeded
            finally:
                beside.join()
                who = self.account.name if as_account else "root"
                took = f"{took_s[0]:.0f} s" if took_s else "not ended"
                say(f"\n$ {' '.join(command)}    # as {who}, at the same time: {took}")
                output.seek(0)
                shutil.copyfileobj(output, sys.stdout.buffer)
                sys.stdout.flush()

    @contextlib.contextmanager
    def shared(self, *, as_account: bool) -> Iterator[str]:
        """A directory in which the runs of an account say to each other what they have taken."""
        directory = tempfile.mkdtemp(prefix="wt-shared-", dir="/tmp")
        try:
            if as_account:
                os.chown(directory, self.account.uid, self.account.gid)
            yield directory
        finally:
            shutil.rmtree(directory)

    def run_again(self, share: Share, tests: Sequence[str]) -> bool:
        """Run tests of a share once more, with nothing beside them; tell whether they passed."""
        command = ("pytest", *tests)
        if not share.as_account:
            return self.run(*command, **share.environ)
        say(f"\n[{time.monotonic() - BEGAN:4.0f} s] $ {' '.join(command)}    # as {self.account.name}")
        return self._run_as_account(sys.stdout.fileno(), *command)

    def _run_into(self, output: int, *command: str) -> bool:
        """Run a program as the caller, with its output in a file."""
        program = str(self.binaries / command[0])
        return succeeds(
            subprocess.Popen([program, *command[1:]], cwd=self.tree, env=self.environ(), stdout=output, stderr=output)
        )

    def _run_as_account(self, output: int, *command: str) -> bool:
        """Run a program as that account, with a home and temporary files of its own and no privileges."""
        home = tempfile.mkdtemp(prefix="wt-", dir="/tmp")  # short: paths of sockets begin with it
        try:
            os.chown(home, self.account.uid, self.account.gid)
            kept = {key: value for key, value in self.environ().items() if key in {"CI", "PATH", "LANG", "LC_ALL"}}
            process = subprocess.Popen(
                [str(self.binaries / command[0]), *command[1:]],
                cwd=self.tree,
                stdout=output,
                stderr=output,
                env={**kept, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1"},
                **self.account.popen_arguments(),
            )
            return succeeds(process)
        finally:
            shutil.rmtree(home)


def prepare() -> Bench:
    """Choose account, tree and place, and make the environment; raise SetUpError with a message."""
    account = facts.daemon_account(names=("nobody", "www-data"))
    place = Path(choose_place(facts.places(CLONE, account), account.name).path)
    with environment.alone_in(place):
        interpreter = environment.find_interpreter(account)
        tree = CLONE
        names = ("pyproject.toml", "wsgigroups", "tests", "tools", "sample-configs")
        if not facts.can_read_tree(account, CLONE, names):
            tree = place / "clone"
            say(f"User {account.name!r} cannot read {CLONE}: testing a copy in {tree}.")
            environment.copy_tree(CLONE, tree, leave_out=NOT_COPIED)
        installs = (INSTALLS[0], tuple(str(tree) if word == "." else word for word in INSTALLS[1]))
        recipe = Recipe(interpreter, installs, depends_on=("pyproject.toml", CONSTRAINTS, *ACCELERATOR))
        python = environment.make_environment(place / "venv", recipe)
    # thousands of commands are started, by accounts that cannot write here, and where nobody is to write bytecode
    if os.access(tree / "wsgigroups", os.W_OK):
        environment.run([str(python), "-m", "compileall", "-q", str(tree / "wsgigroups")])
    return Bench(tree, python.parent, account)


def lint(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Run the linters; return the names of those that found something."""
    return [command[0] for command in LINTS if not bench.run(*command)]


def fast(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Run the tests that start no process of ours."""
    present = [path for path in FAST_TESTS if (bench.tree / path).is_dir()]
    return [] if bench.run("pytest", "-m", "not slow", *present, *extra) else ["pytest"]


def measure(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Run the benchmark, which makes an environment with the other servers; its results go into the clone."""
    return [] if replace(bench, tree=CLONE).run("python", "-m", "benchmarks.run", *extra) else ["benchmarks"]


def mutate(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Break each listed line and see that its test fails."""
    return [] if bench.run("python", "-m", "tools.mutants", *extra) else ["mutants"]


def write_started(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Write down anew, in the clone, what processes call at their start."""
    return [] if replace(bench, tree=CLONE).run("python", "-m", "tools.started") else ["started"]


def generate(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Write the generated files of the clone again."""
    return [] if replace(bench, tree=CLONE).run("python", "-m", "tools.generate") else ["schemas"]


def conform(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Ask an Apache with mod_wsgi the same as this project; docs/conformance.md of the clone is written again."""
    return [] if replace(bench, tree=CLONE).run("python", "tests/support/conformance/write.py") else ["conformance"]


def document(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Build the documentation into `site/` of the clone."""
    return [] if replace(bench, tree=CLONE).run("python", "-m", "tools.site") else ["docs"]


def cover(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Measure the branches that tests take in what does nothing but compute."""
    return [] if bench.run("python", "-m", "tools.coverage", *extra) else ["coverage"]


def lock(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Choose the versions of all packages anew and write them into the clone."""
    return [] if replace(bench, tree=CLONE).run("python", "-m", "tools.lock") else ["lock"]


def package(bench: Bench, _extra: Sequence[str]) -> list[str]:
    """Build sdist and wheel into `dist/` of the clone, check them, install and start each."""
    return [] if replace(bench, tree=CLONE).run("python", "-m", "tools.package") else ["package"]


def everything(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Run what CI runs; return the names of what failed."""
    # kept in the environment, by its owner, for both accounts; if one fails, the tests that need it do
    bench.run("python", "tests/support/corpora.py")
    with bench.shared(as_account=False) as directory:
        bare = without_accelerator(directory)
        with contextlib.ExitStack() as stack:
            for name in ("frameworks", "real_applications", "playbooks"):
                stack.enter_context(bench.beside(["python", f"tests/support/{name}.py"], as_account=False))
            failed = lint(bench, extra)
            unsuccessful = [] if extra or bench.run(*bare.command, **bare.environ) else [bare]
        if not extra and not bench.account.is_caller():
            return failed + run_shares(bench, unsuccessful)
    failed += [share.name for share in unsuccessful]
    return failed + (run_alone if bench.account.is_caller() else run_part)(bench, extra)


def run_alone(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Run all tests, or what these arguments choose, as the only account there is; return what failed."""
    if extra:
        return [] if bench.run("pytest", *extra) else ["pytest"]
    failed = cover(bench, ())
    others = bench.run("pytest", "-m", "not measured", *without(COVERED))
    by_themselves = bench.run("pytest", "-m", "measured", *measured(bench.tree))
    return failed if others and by_themselves else [*failed, "pytest"]


def run_part(bench: Bench, extra: Sequence[str]) -> list[str]:
    """Run what these arguments of pytest choose, as the ordinary account and as root; return what failed."""
    failed = []
    command = ["pytest", "-m", "not measured"]
    with bench.beside([*command, *without(ROOT_IS_ENOUGH), *extra], as_account=True) as as_account:
        if not bench.run(*command, *extra):
            failed.append("pytest")
    return failed if as_account == [True] else [*failed, f"pytest as {bench.account.name}"]


def run_shares(bench: Bench, unsuccessful: Sequence[Share]) -> list[str]:
    """Run all tests: those of both accounts at the same time, then those with a bound on time; return what failed.

    unsuccessful: runs before that have failed, and have a second look with the others.
    """
    with contextlib.ExitStack() as directories:
        ours, theirs = (directories.enter_context(bench.shared(as_account=account)) for account in (False, True))
        here, *others = shares(ours, ORDINARY_IS_ENOUGH, as_account=False)
        others += shares(theirs, ROOT_IS_ENOUGH, as_account=True)
        by_themselves = timed(ours, bench.tree)
        with contextlib.ExitStack() as stack:
            beside = [stack.enter_context(bench.beside(it.command, as_account=it.as_account)) for it in others]
            succeeded = [bench.run(*here.command)]
        succeeded += [bench.run(*by_themselves.command), *(outcome == [True] for outcome in beside)]
        runs = zip((here, by_themselves, *others), succeeded, strict=True)
        failed = [*unsuccessful, *(share for share, passed in runs if not passed)]
        verdict = second_look.look_again(failed, bench.run_again)
        covered = bench.run("coverage", "report", taken_branches(theirs))
    if verdict.by_chance:
        say("\nfailed in the run of all tests, passed alone; what they said is further up:")
        say("\n".join(f"  {test}" for test in verdict.by_chance))
    return [*verdict.failed, *(() if covered else ("coverage",))]


def main(arguments: list[str]) -> None:
    """Entry point of the make targets; further arguments go to pytest."""
    tasks: dict[str, Callable[[Bench, Sequence[str]], list[str]]] = {
        "test": everything,
        "lint": lint,
        "docs": document,
        "coverage": cover,
        "fast": fast,
        "bench": measure,
        "conformance": conform,
        "lock": lock,
        "mutants": mutate,
        "package": package,
        "schemas": generate,
        "started": write_started,
        "prepare": lambda _bench, _extra: [],
    }
    parser = argparse.ArgumentParser(prog="tools.check", description=__doc__)
    parser.add_argument("what", choices=sorted(tasks))
    chosen, extra = parser.parse_known_args(arguments)
    os.umask(0o022)
    try:
        failed = tasks[chosen.what](prepare(), extra)
    except SetUpError as problem:
        sys.exit(f"error: {problem}")
    if failed:
        sys.exit(f"\nfailed: {', '.join(failed)}")
    say(f"\n{chosen.what}: all good after {time.monotonic() - BEGAN:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
