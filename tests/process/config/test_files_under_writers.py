"""Files that somebody writes to while they are applied: what runs is what was written wholly, at one time."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.manager import APPS, ManagerUnderTest

from wsgigroups.config import load
from wsgigroups.config.reading import Problem, read_text

VERSIONS = 9
READS = 1000
APPLIES = 10
# 200 times a second: one version after the other, in one of two ways
WRITER = """
import os, sys, time
how, path, *versions = sys.argv[1:]
texts = [open(version).read() for version in versions]
print("writing", flush=True)
while True:
    for text in texts:
        if how == "rename":
            with open(path + ".new", "w") as file:
                file.write(text)
            os.rename(path + ".new", path)
        else:
            third = len(text) // 3 + 1
            with open(path, "w", buffering=1 << 20) as file:
                for start in range(0, len(text), third):
                    file.write(text[start : start + third])
                    file.flush()
                    time.sleep(0.001)
        time.sleep(0.002 if how == "rename" else 0.03)  # how often it writes; nobody waits for that
"""


class Versions:
    """Texts that say their number in front and at the end, take several reads, and are no configuration before that."""

    def __init__(self, manager: ManagerUnderTest) -> None:
        self.manager = manager
        ports = [manager.port() for _ in range(2)]
        self.texts = [self._text(number, ports) for number in range(1, VERSIONS + 1)]
        self.path = manager.base / "written.toml"
        self.path.write_text(self.texts[0])

    @staticmethod
    def _text(number: int, ports: list[int]) -> str:
        between = f"  # {number}{'.' * 90}\n" * 2000
        group = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'
        return (
            f"version = 1\ndefaults.shutdown-timeout = {number}\ninclude = [\n{between}]\n"
            f'[groups.front]\n{group}listen = ["127.0.0.1:{ports[0]}"]\n'
            f'[groups.back]\n{group}listen = ["127.0.0.1:{ports[1]}"]\nshutdown-timeout = {number}\n'
        )

    @contextlib.contextmanager
    def written(self, how: str) -> Iterator[None]:
        """Somebody writes one after the other until the end of the context."""
        files = []
        for number, text in enumerate(self.texts):
            files.append(str(self.manager.base / f"version{number}"))
            Path(files[-1]).write_text(text)
        command = [sys.executable, "-c", WRITER, how, str(self.path), *files]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            writer.stdout.readline()
            try:
                yield
            finally:
                writer.kill()

    def apply(self) -> bool:
        """As the command does, in this process: whether the file was taken."""
        configuration = load([self.path], settle=True).configuration
        if configuration is None:
            return False
        number = self.manager.client.post("/v1/apply", {"configuration": configuration.to_document()})["change"]
        while number and not (change := self.manager.client.wait(number))["finished"]:
            continue
        assert not number or change["outcome"] == "done"
        return True

    def running(self) -> int:
        """The number of what runs; it must be that of one version."""
        state = json.loads((self.manager.state_dir / "state.json").read_text())
        revision = self.manager.state_dir / "revisions" / f"{self.manager.status()['revision']:08d}.json"
        stored: dict[str, Any] = json.loads(revision.read_text())["document"]["groups"]
        numbers = {group["shutdown-timeout"] for group in stored.values()}
        numbers |= {group["target"]["spec"]["shutdown_timeout_s"] for group in state["groups"].values()}
        assert len(numbers) == 1, f"of two versions: {numbers}"
        return int(numbers.pop())


def test_of_files_that_are_renamed_each_read_has_one(manager: ManagerUnderTest) -> None:
    versions = Versions(manager)
    assert manager.cli("apply", "--yes", str(versions.path)).returncode == 0
    whole, seen = set(versions.texts), set()
    with versions.written("rename"):
        for _ in range(READS):
            text = read_text(versions.path)
            assert text in whole
            seen.add(text)
        taken = []
        for _ in range(APPLIES):
            assert versions.apply(), "a whole file is never refused"
            taken.append(versions.running())
        done = manager.cli("apply", "--yes", str(versions.path))
        assert done.returncode == 0, done.stderr
        versions.running()
    assert len(seen) == VERSIONS
    assert len(set(taken)) > 1


def test_of_a_file_that_is_written_in_parts_nothing_is_mixed(manager: ManagerUnderTest) -> None:
    versions = Versions(manager)
    assert manager.cli("apply", "--yes", str(versions.path)).returncode == 0

    def changed_meanwhile() -> bool:
        """Read it once."""
        try:
            text = read_text(versions.path)
        except Problem as problem:
            return problem.code == "WG0120"
        assert any(version.startswith(text) for version in versions.texts)
        return False

    with versions.written("parts"):
        changed = sum(changed_meanwhile() for _ in range(READS // 4))
        manager.wait_for("a read that met the writer", lambda: changed or changed_meanwhile())
        for _ in range(APPLIES):
            if versions.apply():  # when nobody happened to write in that moment
                versions.running()
        done = manager.cli("apply", "--yes", str(versions.path))
        assert done.returncode in (0, 2), done.stderr
        versions.running()
    versions.path.write_text(versions.texts[-1])
    assert versions.apply(), "one that nobody writes to any more is taken"
    assert versions.running() == VERSIONS
