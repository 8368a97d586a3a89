"""The runtime of an earlier version, unpacked for a manager that starts its spawners from it.

Runs in pytest's process. `python -m tools.freeze_runtime REF` makes the archive.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ARCHIVE = Path(__file__).parent / "frozen_runtime.zip"
_EARLIER = """
import sys
from pathlib import Path
from wsgigroups.manager.supervision import logs, starting
from wsgigroups.cli.main import main
starting._BOOTSTRAP = Path(sys.argv.pop(1))
logs.writes_itself = lambda target: True  # that version knew no log writer
sys.exit(main())
"""


def unpack(directory: Path) -> Path:
    """Unpack it below a directory that every user may enter; returns what a spawner is started with."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(directory)
    return directory / "runtime" / "spawner" / "__main__.py"


def earlier(command: list[str], bootstrap: Path) -> list[str]:
    """Return the command line of a manager whose spawners have the frozen runtime."""
    assert command[:3] == [sys.executable, "-m", "wsgigroups"]
    return [sys.executable, "-c", _EARLIER, str(bootstrap), *command[3:]]
