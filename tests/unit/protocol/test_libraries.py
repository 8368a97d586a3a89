"""Preloading leaves the interpreter as it was: an application's own httptools and h11 are the ones it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import h11
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
LIBRARIES = str(Path(h11.__file__).parents[1])


def run(code: str, *arguments: str) -> dict[str, object]:
    """Run code in an isolated interpreter and return the JSON that it prints."""
    prelude = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
    prelude += "from wsgigroups.runtime.protocol import libraries\nsys.path.pop(0)\nimport json\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", prelude + textwrap.dedent(code), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_only_private_names_remain() -> None:
    found = run(
        """
        before = list(sys.path), dict(sys.path_importer_cache), list(sys.meta_path)
        libraries.preload([sys.argv[1]])
        after = list(sys.path), dict(sys.path_importer_cache), list(sys.meta_path)
        roots = {name.split(".")[0] for name in sys.modules}
        print(json.dumps({
            "same": before == after,
            "public": sorted(roots & {"h11", "httptools", "setproctitle"}),
            "private": sorted(name for name in roots if name.startswith("_wsgigroups_")),
            "works": libraries.h11_module().__name__ == "h11" and libraries.httptools_module() is not None,
        }))
        """,
        LIBRARIES,
    )
    assert found["same"]
    assert found["public"] == []
    assert found["private"] == ["_wsgigroups_h11", "_wsgigroups_httptools", "_wsgigroups_setproctitle"]
    assert found["works"]


def test_the_application_finds_its_own(tmp_path: Path) -> None:
    (tmp_path / "h11.py").write_text("mine = True\n")
    found = run(
        """
        libraries.preload([sys.argv[1]])
        sys.path.insert(0, sys.argv[2])
        import h11
        print(json.dumps({"mine": h11.mine, "ours": hasattr(libraries.h11_module(), "Connection")}))
        """,
        LIBRARIES,
        str(tmp_path),
    )
    assert found == {"mine": True, "ours": True}


def test_what_cannot_be_imported_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "h11.py").write_text("raise RuntimeError('built for another interpreter')\n")
    found = run(
        """
        libraries.preload([sys.argv[1], "/nonexistent"])
        print(json.dumps({"h11": libraries.h11_module() is None, "left": "h11" in sys.modules}))
        """,
        str(tmp_path),
    )
    assert found == {"h11": True, "left": False}


@pytest.mark.parametrize("directories", [[], ["/nonexistent"]])
def test_without_libraries_nothing_is_loaded(directories: list[str]) -> None:
    found = run(
        """
        libraries.preload(json.loads(sys.argv[1]))
        print(json.dumps([name for name in sys.modules if name.startswith("_wsgigroups_")]))
        """,
        json.dumps(directories),
    )
    assert found == []
