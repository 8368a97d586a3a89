"""A page of the documentation, done as its reader does it: files are saved, commands are typed, answers are compared.

In the page, a block with a title is a file, and one of `sh` a list of commands, which succeed; a block with the title
"answer" follows commands whose output has that line. Other blocks are shown only.

Runs commands in a directory of its own, with directories of its own for a manager, and ends that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.manager import QUICK
from support.ports import Ports
from support.tree import ROOT

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
PORTS = re.compile(r"127\.0\.0\.1:(80\d\d)\b")
HUNG_S = 60.0


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    body: str


def blocks(text: str) -> list[Block]:
    """Return all fenced blocks of a page, in order."""
    found = []
    for match in FENCE.finditer(text):
        info = match["info"].strip()
        title = TITLE.search(info)
        body = "".join(line.removeprefix(match["indent"]) for line in match["body"].splitlines(keepends=True))
        found.append(Block(TITLE.sub("", info).strip(), title[1] if title else "", body))
    return found


def documents() -> list[Path]:
    """Return the README and all pages in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Reader:
    """A context manager: somebody who follows a page in a directory of his own."""

    def __init__(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="wg-", dir="/tmp"))  # short, and enterable by every account
        self.place.chmod(0o755)
        self.work = self.place / "work"
        self.work.mkdir()
        self._ports = Ports()
        self._mine: dict[str, int] = {}
        binaries = Path(sys.executable).parent
        self.environ = {
            "PATH": f"{binaries}{os.pathsep}{os.defpath}",
            "HOME": str(self.place),
            "LANG": "C.UTF-8",
            **{f"WSGIGROUPS_{name.upper()}_DIR": str(self.place / name) for name in ("run", "state", "log")},
        }

    def __enter__(self) -> Reader:  # noqa: PYI034 — Self is Python 3.11
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.typed("wsgigroups -q shutdown --now 2>/dev/null || true")
        finally:
            self._ports.close()
            shutil.rmtree(self.place, ignore_errors=True)

    def own(self, text: str) -> str:
        """Return the text with ports of the reader's in the place of those that the page names."""
        return PORTS.sub(lambda found: f"127.0.0.1:{self._port(found[1])}", text)

    def _port(self, named: str) -> int:
        if named not in self._mine:
            self._mine[named] = self._ports.reserve()
        return self._mine[named]

    def save(self, name: str, text: str) -> None:
        """Save a file of the page."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hurried = QUICK if path.suffix == ".toml" and "[groups." in text else ""
        path.write_text(self.own(text) + hurried)

    def typed(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Type commands into a shell that ends with the first one that fails."""
        return subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", self.own(commands)],
            cwd=self.work, env=self.environ, capture_output=True, text=True, check=False, timeout=HUNG_S,
        )  # fmt: skip

    def follow(self, text: str) -> Iterator[tuple[Block, subprocess.CompletedProcess[str]]]:
        """Do what a page says; yield each block of commands with what came of it."""
        said = ""
        for block in blocks(text):
            if block.title == "answer":
                wanted = self.own(block.body).strip()
                assert wanted in said.replace("\r", "").splitlines(), f"not answered: {wanted}\n{said}"
            elif block.title:
                self.save(block.title, block.body)
            elif block.language == "sh":
                done = self.typed(block.body)
                said = done.stdout
                assert done.returncode == 0, f"$ {block.body}\n{done.stdout}\n{done.stderr}"
                yield block, done
