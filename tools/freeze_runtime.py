"""Keep a version's runtime for tests: `python -m tools.freeze_runtime REF` writes tests/support/frozen_runtime.zip.

REF is the tag of the last release, or a commit. The archive has the modules alone, without the accelerator, and is the
same for the same commit. A manager must be able to take over from spawners that have loaded it.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ARCHIVE = ROOT / "tests" / "support" / "frozen_runtime.zip"
_FIRST = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip knows


def frozen(ref: str) -> bytes:
    """Return the archive of the runtime's modules as they are in a commit. Raises CalledProcessError."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", ref, "wsgigroups/runtime"]
    done = subprocess.run(command, capture_output=True, check=True)
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar, zipfile.ZipFile(out, "w") as archive:
        for member in sorted(tar.getmembers(), key=lambda item: item.name):
            if member.isfile() and member.name.endswith(".py"):
                info = zipfile.ZipInfo(member.name.removeprefix("wsgigroups/"), _FIRST)
                file = tar.extractfile(member)
                assert file is not None
                archive.writestr(info, file.read(), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def main(arguments: list[str]) -> int:
    """Write the archive; returns the exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    ARCHIVE.write_bytes(frozen(arguments[0]))
    print(f"{ARCHIVE.relative_to(ROOT)}: {ARCHIVE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
