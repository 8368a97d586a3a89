"""Public corpora of HTTP requests, taken at test time from source distributions on the package index.

Nothing of them is kept in this repository. gunicorn (MIT): tests/requests/{valid,invalid}/*.http. llhttp (MIT): the
Markdown of test/request, which aiohttp's source distribution carries with its copy of llhttp.

Downloads are kept in the test environment, `corpora/` in it: `make test` runs this file before the tests, and from then
on no network is needed. Raises RuntimeError when the index cannot be reached.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

GUNICORN = "gunicorn", "27.0.1"
AIOHTTP = "aiohttp", "3.14.5"
_BLOCK = re.compile(r"<!-- meta=(\{.*?\}) -->\n```http\n(.*?)\n?```\n+(?:_[^\n]*_\n+)?```log\n(.*?)```", re.DOTALL)
_ESCAPE = re.compile(r"\\(r|n|t|f|0|x[0-9a-fA-F]{2}|\\)")
_ESCAPED = {"r": "\r", "n": "\n", "t": "\t", "f": "\f", "0": "\0", "\\": "\\"}


def archive(name: str, version: str) -> Path:
    """Return the source distribution, downloaded if it is not there yet."""
    file = f"{name}-{version}.tar.gz"
    shared = Path(sys.prefix, "corpora", file)
    path = shared if shared.exists() else _cache() / file
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", name, "--dest", str(path.parent), f"{name}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if not path.exists():
            raise RuntimeError(f"cannot download {name} {version}: {done.stderr[-2000:]}")
    return path


def _cache() -> Path:
    """Return a directory in the environment, or one of this user's own where the environment is somebody else's."""
    shared = Path(sys.prefix, "corpora")
    if os.access(shared if shared.exists() else shared.parent, os.W_OK):
        shared.mkdir(exist_ok=True)
        return shared
    own = Path(tempfile.gettempdir(), f"wsgigroups-corpora-{os.getuid()}")
    own.mkdir(mode=0o700, exist_ok=True)
    if own.stat().st_uid != os.getuid():
        raise RuntimeError(f"cannot use {own}: it belongs to somebody else")
    return own


def members(name: str, version: str, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the files whose path matches."""
    with tarfile.open(archive(name, version)) as tar:
        for member in tar:
            if member.isfile() and re.search(pattern, member.name):
                file = tar.extractfile(member)
                assert file is not None
                yield member.name, file.read()


def unescape(text: str) -> str:
    """Undo the escapes that both corpora write into their files."""
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1]) or chr(int(match[1][1:], 16)), text)


def gunicorn(kind: str) -> list[tuple[str, bytes]]:
    """Return (name, request) of the "valid" or "invalid" ones. Line ends are written out; real ones mean nothing."""
    found = []
    for path, content in members(*GUNICORN, rf"/tests/requests/{kind}/[^/]+\.http$"):
        text = content.decode("latin-1").replace("\n", "")
        found.append((Path(path).stem, unescape(text).encode("latin-1")))
    return sorted(found)


def llhttp() -> list[tuple[str, bytes, int]]:
    """Return (name, request, how many messages llhttp completes in its strict mode)."""
    found = []
    for path, content in members(*AIOHTTP, r"/vendor/llhttp/test/request/[^/]+\.md$"):
        for number, (meta, block, log) in enumerate(_BLOCK.findall(content.decode())):
            if '"request"' not in meta:  # the others are for its lenient modes
                continue
            raw = unescape(block.replace("\r\n", "\n").replace("\n", "\r\n")).encode()
            found.append((f"{Path(path).stem}-{number}", raw, log.count(" message complete\n")))
    return found


if __name__ == "__main__":
    for source in (GUNICORN, AIOHTTP):
        archive(*source)
