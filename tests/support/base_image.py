"""The files of small images, made of this machine's: a Python with pip, a shell and `env`, and systemd on top of it.

Runs in pytest's process. No registry is asked. It takes a second, where a Debian of its own takes a minute.
"""

from __future__ import annotations

import io
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
    r"/(__pycache__|config-[^/]*|(dist|site)-packages|idlelib|lib2to3|pydoc_data|sitecustomize\.py|test|tests|tkinter)(/|$)"
)
_SHELL = "/bin/sh"
_BASIC = (_SHELL, "/usr/bin/env", "/usr/bin/true")  # of Debian's images, those that ours need
_SYSTEMD = Path("/lib/systemd/systemd")
_OF_SYSTEMD = (_SYSTEMD, Path("/lib/systemd/systemd-cgroups-agent"), Path("/lib/systemd/systemd-shutdown"))
_PROGRAMS = ("/bin/systemctl", "/bin/kill")
_TEXTS = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


def write(archive: Path, extensions: Iterable[Path]) -> None:
    """Write them as a tar archive. extensions: compiled files whose libraries are wanted, too."""
    python, library = Path(os.path.realpath(sys.executable)), Path(os.path.realpath(os.__file__)).parent
    binaries = [*_BASIC, *map(str, (python, *library.glob("lib-dynload/*.so"), *extensions))]
    libraries = [Path(path) for path in _libraries(binaries)]
    with tarfile.open(archive, "w") as tar:
        for path in (*map(Path, _BASIC), *libraries):
            tar.add(path.resolve(), path, filter=_of_root)
        # those that belong to the Python are found beside it, or where they were when it was built
        for path in (python, library, *(path for path in libraries if placed(path) != path)):
            tar.add(path.resolve(), placed(path), filter=_of_root)
        tar.add(Path(pip.__file__).parent, placed(library) / "pip", filter=_of_root)
        if placed(python).name != "python3":
            link = placed(python).with_name("python3")
            tar.addfile(_entry(str(link.relative_to("/")), tarfile.SYMTYPE, 0o777, python.name))
        tar.addfile(_entry("tmp", tarfile.DIRTYPE, 0o1777))


def placed(path: Path, prefix: str = sys.base_prefix) -> Path:
    """Return where a file of the Python is in an image: it may come from where each container has a mount of its own.

    A distribution's stays in /usr, any other one is in /usr/local as in the images of Python.
    """
    real = os.path.realpath(prefix)
    if real != "/usr" and path.is_relative_to(real):
        return "/usr/local" / path.relative_to(real)
    return path


def write_systemd(archive: Path) -> str:
    """Write those of systemd, with the targets of a machine that has nothing to do; return the program."""
    beside = sorted(path for path in _SYSTEMD.parent.glob("systemd-executor") if path.exists())  # from 254 on
    binaries = [*map(str, (*_OF_SYSTEMD, *beside)), *_PROGRAMS]
    targets = [path for path in sorted(_SYSTEMD.parent.glob("system/*.target")) if not path.is_symlink()]
    with tarfile.open(archive, "w") as tar:
        for path in (*binaries, *_libraries(binaries), *map(str, targets)):
            tar.add(os.path.realpath(path), path, filter=_of_root)
        tar.addfile(_entry("lib/systemd/system/default.target", tarfile.SYMTYPE, 0o777, "multi-user.target"))
        tar.addfile(_entry("root", tarfile.DIRTYPE, 0o700))
        for name, text in _TEXTS.items():
            entry = _entry(name, tarfile.REGTYPE, 0o644)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return str(_SYSTEMD)


def _libraries(binaries: list[str]) -> list[str]:
    """What the loader finds for them, but for what their own packages bring."""
    told = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False, timeout=HUNG_S).stdout
    own = sysconfig.get_path("platlib")
    found = {os.path.normpath(path) for path in re.findall(r"(/\S+) \(0x", told)}
    return sorted(path for path in found if not path.startswith(own))


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if _LEFT_OUT.search(entry.name) else entry


def _entry(name: str, kind: bytes, mode: int, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    return entry
