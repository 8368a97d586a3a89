"""A Python of a tenant's: an installation whose `bin/` is root's and whose `lib/` is not.

Used by root's tests. The library is made of links to that of a Python of this machine, without its caches: nothing is
ever written through them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from support.interpreters import library_of

_REAL = "with open({real!r}, encoding='utf-8') as file:\n    exec(compile(file.read(), {real!r}, 'exec'))\n"
# root in any of the three ids is what must not be
_WITNESS = "import os\nwith open({witness!r}, 'a') as file:\n    file.write('%d\\n' % min(os.getresuid()))\n"


# in a spawner, which has this option
_STRAY = """
def leave_a_stray():
    import signal
    if os.fork() == 0:
        os.setsid()
        with open({path!r}, "w") as file:
            file.write(str(os.getpid()))
        os.closerange(0, 4096)
        while True:
            signal.pause()
if "--key" in __import__("sys").argv:
    leave_a_stray()
"""


class TenantPrefix:
    """`home` is its python-home; whoever imports `dataclasses` from it leaves an uid in `witness`."""

    def __init__(self, directory: Path, base: Path, uid: int) -> None:
        """base: an executable that everybody can use; uid: the owner of the library."""
        self.home = directory
        self.witness = directory / "witness"
        self._uid = uid
        self.original = library_of(base)
        self.executable = directory / "bin" / self.original.name
        self.library = directory / "lib" / self.original.name
        self.executable.parent.mkdir(parents=True)
        self.library.mkdir(parents=True)
        shutil.copy(base.resolve(), self.executable)
        if (
            self.original / "__pycache__"
        ).is_dir():  # a copy: an emulated machine compiles for longer than it may start
            shutil.copytree(self.original / "__pycache__", self.library / "__pycache__")
        (directory / "bin" / "python3").symlink_to(self.executable.name)
        for entry in self.original.iterdir():
            if entry.name not in ("__pycache__", "site-packages", "dist-packages", "dataclasses.py"):
                (self.library / entry.name).symlink_to(entry)
        self.witness.touch()
        self.witness.chmod(0o666)
        self.replace("dataclasses", "")
        for path in (directory / "lib", self.library, *self.library.iterdir()):
            os.lchown(path, uid, uid)

    def replace(self, module: str, text: str) -> None:
        """Have a module do this after it has left its uid, and then what it does."""
        path = self.library / f"{module}.py"
        path.unlink(missing_ok=True)
        real = _REAL.format(real=str(self.original / f"{module}.py"))
        path.write_text(_WITNESS.format(witness=str(self.witness)) + text + "\n" + real)
        os.lchown(path, self._uid, self._uid)

    def leave_a_stray(self) -> Path:
        """Have a spawner fork a child of a session of its own that keeps nothing; return the file that has its pid."""
        path = self.home / "stray"
        path.touch()
        path.chmod(0o666)
        self.replace("dataclasses", _STRAY.format(path=str(path)))
        return path

    def uids(self) -> set[int]:
        """Whoever has executed it."""
        return {int(line) for line in self.witness.read_text().split()}
