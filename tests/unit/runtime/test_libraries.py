"""Preloading leaves the interpreter as it was: an application's own setproctitle is the one it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest
import setproctitle

from wsgigroups.runtime.spawner import libraries

REPOSITORY = Path(__file__).resolve().parents[3]
LIBRARIES = str(Path(setproctitle.__file__).parents[1])


def run(code: str, *arguments: str) -> dict[str, object]:
    """Run code in an isolated interpreter and return the JSON that it prints."""
    prelude = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
    prelude += "from wsgigroups.runtime.spawner import libraries\nsys.path.pop(0)\nimport json\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", prelude + textwrap.dedent(code), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_only_a_private_name_remains() -> None:
    found = run(
        """
        before = list(sys.path), dict(sys.path_importer_cache), list(sys.meta_path)
        libraries.preload([sys.argv[1]])
        after = list(sys.path), dict(sys.path_importer_cache), list(sys.meta_path)
        print(json.dumps({
            "same": before == after,
            "public": [name for name in sys.modules if name.startswith("setproctitle")],
            "private": sorted(name for name in sys.modules if name.startswith("_wsgigroups_") and "." not in name),
            "works": callable(sys.modules["_wsgigroups_setproctitle"].setproctitle),
        }))
        """,
        LIBRARIES,
    )
    assert found == {"same": True, "public": [], "private": ["_wsgigroups_setproctitle"], "works": True}


def test_the_application_finds_its_own(tmp_path: Path) -> None:
    (tmp_path / "setproctitle.py").write_text("mine = True\n")
    found = run(
        """
        libraries.preload([sys.argv[1]])
        sys.path.insert(0, sys.argv[2])
        import setproctitle
        ours = sys.modules["_wsgigroups_setproctitle"]
        print(json.dumps({"mine": setproctitle.mine, "ours": hasattr(ours, "setproctitle")}))
        """,
        LIBRARIES,
        str(tmp_path),
    )
    assert found == {"mine": True, "ours": True}


def test_what_cannot_be_imported_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "setproctitle.py").write_text("raise RuntimeError('built for another interpreter')\n")
    found = run(
        """
        libraries.preload([sys.argv[1], "/nonexistent"])
        print(json.dumps([name for name in sys.modules if "setproctitle" in name]))
        """,
        str(tmp_path),
    )
    assert found == []


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


def test_without_a_gil_nothing_native_is_imported() -> None:
    """No such interpreter is needed for it: what it says of itself is all that is looked at."""
    found = run(
        """
        sys._is_gil_enabled = lambda: False
        libraries.preload([sys.argv[1]])
        print(json.dumps([name for name in sys.modules if "setproctitle" in name]))
        """,
        LIBRARIES,
    )
    assert found == []


@pytest.mark.parametrize(
    ("enabled", "flag", "kept_out"),
    [(False, None, True), (False, 1, True), (False, 0, False), (True, None, False), (None, None, False)],
)
def test_who_may_bring_back_the_gil(
    enabled: bool | None, flag: int | None, kept_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    interpreter = types.SimpleNamespace(flags=types.SimpleNamespace(gil=flag), modules={})
    if enabled is not None:
        interpreter._is_gil_enabled = lambda: enabled
    monkeypatch.setattr(libraries, "sys", interpreter)
    monkeypatch.setattr(libraries, "_load_privately", lambda name, _directories: loaded.append(name))
    libraries.preload([LIBRARIES])
    assert loaded == ([] if kept_out else ["setproctitle"])
