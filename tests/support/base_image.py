"""The files of a small base image, made of this machine's: a Python with pip, a shell, and the libraries of both.

Runs in pytest's process. No registry is asked. It takes a second, where a Debian of its own takes a minute.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pip

HUNG_S = 120.0
_LEFT_OUT = re.compile(
    r"/(__pycache__|config-[^/]*|idlelib|lib2to3|pydoc_data|sitecustomize\.py|test|tests|tkinter)(/|$)"
)
_SHELL = "/bin/sh"


def write(archive: Path, extensions: Iterable[Path]) -> None:
    """Write them as a tar archive. extensions: compiled files whose libraries are wanted, too."""
    python, library = os.path.realpath(sys.executable), Path(os.__file__).parent
    binaries = [_SHELL, python, *map(str, library.glob("lib-dynload/*.so")), *map(str, extensions)]
    with tarfile.open(archive, "w") as tar:
        for path in (_SHELL, python, *_libraries(binaries)):
            tar.add(os.path.realpath(path), path, filter=_of_root)
        for source, place in ((library, library), (Path(pip.__file__).parent, library / "pip")):
            tar.add(source, str(place), filter=_of_root)
        if python != "/usr/bin/python3":
            tar.addfile(_entry("usr/bin/python3", tarfile.SYMTYPE, 0o777, python))
        tar.addfile(_entry("tmp", tarfile.DIRTYPE, 0o1777))


def _libraries(binaries: list[str]) -> list[str]:
    """What the loader finds for them, but for what their own packages bring."""
    told = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False, timeout=HUNG_S).stdout
    own = sysconfig.get_path("platlib")
    return sorted({path for path in re.findall(r"(/\S+) \(0x", told) if not path.startswith(own)})


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if _LEFT_OUT.search(entry.name) else entry


def _entry(name: str, kind: bytes, mode: int, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    return entry
