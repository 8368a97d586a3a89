"""`make conformance`: asks both servers, says what is not explained, and writes docs/conformance.md. Runs as root."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "apps")]

from support.conformance.apache import missing
from support.conformance.case import faults
from support.conformance.cases import CASES, PARTS
from support.conformance.page import make_page
from support.conformance.running import compare

PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"


def main() -> None:
    """Entry point."""
    if os.geteuid() != 0 or missing():
        sys.exit(f"error: this needs root and {', '.join(missing()) or 'what is there'}")
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as directory:
        found = compare(CASES, Path(directory))
    PAGE.write_text(make_page(PARTS, found), encoding="utf-8")
    print(f"wrote docs/conformance.md: {len(found)} facts", file=sys.stderr)
    if unexplained := faults(found):
        sys.exit("\n".join(unexplained))


if __name__ == "__main__":
    main()
