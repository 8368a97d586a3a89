"""A copy of the package that a test can replace with another version, and the command line of a manager that has it.

Runs in pytest's process.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import wsgigroups

_START = "import sys; sys.path.insert(0, {!r}); from wsgigroups.__main__ import main; main()"


class InstalledCopy:
    """The package below a directory that every user may enter."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.package = directory / "wsgigroups"
        shutil.copytree(Path(wsgigroups.__file__).parent, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (directory, *directory.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def command(self, command: list[str]) -> list[str]:
        """The same command line with this copy."""
        assert command[:3] == [sys.executable, "-m", "wsgigroups"]
        return [sys.executable, "-I", "-B", "-c", _START.format(str(self.directory)), *command[3:]]

    def install(self, version: str, *, runtime: bool = True) -> None:
        """Replace it with another version. runtime: whether that has another runtime, too."""
        init = self.package / "__init__.py"
        init.write_text(init.read_text().replace(wsgigroups.__version__, version))
        if runtime:
            with open(self.package / "runtime" / "text.py", "a", encoding="utf-8") as file:
                file.write(f"\n# of version {version}\n")

    def damage(self, module: str, text: str) -> None:
        """Append something to a module."""
        with open(self.package / module, "a", encoding="utf-8") as file:
            file.write(text)
