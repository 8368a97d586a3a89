"""Files that are wrong in every way: `validate` and `apply` refuse each alike, and a manager does not notice."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from support.commands import Done, run_all
from support.manager import APPS, ManagerUnderTest
from support.refused_files import BROKEN, WRONG, write_refused, wrong, wrong_yaml

MOST_BYTES = 50 * 1024 * 1024
IN_YAML = (
    "unknown-key", "wrong-type", "table-for-a-value", "too-small", "duration", "umask-as-a-number", "root",
    "variable-that-is-not-set", "missing-home",
)  # fmt: skip
ERROR = re.compile(
    r"^(error\[(WG\d+)\]: .*(?:\n(?! *-->|error|warning|note).*)*)(?:\n *--> .*?(\d+:\d+)$)?", re.MULTILINE
)


class Refused:
    """A directory with all of them, and what each must be refused with: code, place ("" for any) and words."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o755)
        self.directory = directory
        self.expected: dict[str, tuple[str, str, str]] = {}
        for name, code, _content, place in BROKEN:
            write_refused(self._path(name, code, place))
        listen = "127.0.0.1:9"
        for name, (code, _lines, place, words) in WRONG.items():
            if name == "unknown-socket-user" and os.geteuid() != 0:
                continue
            self._path(f"{name}.toml", code, place, words).write_text(wrong(name, APPS, listen))
        for name in IN_YAML:
            text, place = wrong_yaml(name, APPS, listen)
            self._path(f"{name}.yaml", WRONG[name][0], place, WRONG[name][3]).write_text(text)
        self._no_files()

    def _path(self, name: str, code: str, place: str = "", words: str = "") -> Path:
        self.expected[name] = code, place, words
        return self.directory / name

    def _no_files(self) -> None:
        write_refused(self._path("fifo.toml", "WG0102", words="FIFO"))
        self._path("directory.toml", "WG0117").mkdir()
        self._path("loop.toml", "WG0101").symlink_to("loop.toml")
        self._path("gone.toml", "WG0101")
        if os.geteuid() != 0:
            unreadable = self._path("unreadable.toml", "WG0101", words="permission denied")
            unreadable.write_text("version = 1\n")
            unreadable.chmod(0)

    def check(self, name: str, validated: Done, applied: Done) -> list[str]:
        """What is not as it must be."""
        code, place, words = self.expected[name]
        said, said_too = ERROR.findall(validated.stdout), ERROR.findall(applied.stderr)
        facts = {
            "exit codes": (validated.code, applied.code) == (2, 2),
            "the same errors": said == said_too,
            "the code": code in [error[1] for error in said],
            "the place": not place or (code, place) in [(error[1], error[2]) for error in said],
            "the words": words in validated.stdout and words in applied.stderr,
            "the file": name in applied.stderr,
            "nothing was changed": "nothing was changed" in applied.stderr,
            "no traceback": "Traceback" not in validated.stderr + applied.stderr,
            "memory": max(validated.peak_bytes, applied.peak_bytes) < MOST_BYTES,
        }
        wrong = [what for what, fact in facts.items() if not fact]
        return [f"{name}: {', '.join(wrong)}\n{validated}\n{applied}"] if wrong else []


def stored(manager: ManagerUnderTest) -> dict[str, str]:
    """Digests of what a manager has stored, but for its lock."""
    return {
        str(path.relative_to(manager.state_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(manager.state_dir.rglob("*"))
        if path.is_file()
    }


def test_each_is_refused_alike_and_changes_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    manager.apply(text)
    manager.wait_for("it is stored", lambda: "a" in (manager.state_dir / "state.json").read_text())
    before = manager.pids("a"), manager.status()["revision"], stored(manager)
    refused = Refused(manager.base / "refused")
    assert len(refused.expected) >= 80
    commands = [
        manager.command(*words, str(refused.directory / name))[3:]
        for name in refused.expected
        for words in (("validate",), ("apply", "--yes"))
    ]
    done = run_all(commands, manager.base / "said")
    wrong = [
        line
        for name, validated, applied in zip(refused.expected, done[::2], done[1::2], strict=True)
        for line in refused.check(name, validated, applied)
    ]
    assert not wrong, "\n".join(wrong)
    assert (manager.pids("a"), manager.status()["revision"], stored(manager)) == before
    assert manager.get(port)[0] == 200
