"""Preloading leaves the interpreter as it was: an application's own httptools and h11 are the ones it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import h11
import pytest

from wsgigroups.runtime.protocol import libraries

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


def test_without_a_gil_nothing_native_is_imported() -> None:
    """No such interpreter is needed for it: what it says of itself is all that is looked at."""
    found = run(
        """
        sys._is_gil_enabled = lambda: False
        libraries.preload([sys.argv[1]])
        private = sorted(name for name in sys.modules if name.startswith("_wsgigroups_") and "." not in name)
        sys.path.append(sys.argv[1])  # the application has httptools, too
        from wsgigroups.runtime.protocol import engines
        name, _engine = engines.choose(libraries.httptools_module(), libraries.h11_module())
        untouched = not any(module.partition(".")[0] == "httptools" for module in sys.modules)
        sys.modules["httptools"] = sys  # imported by somebody, and the GIL is off still
        print(json.dumps({
            "private": private, "engine": name, "untouched": untouched,
            "used": libraries.httptools_module() is sys,
        }))
        """,
        LIBRARIES,
    )
    assert found == {"private": ["_wsgigroups_h11"], "engine": "h11", "untouched": True, "used": True}


@pytest.mark.parametrize(
    ("enabled", "flag", "kept_out"),
    [(False, None, True), (False, 1, True), (False, 0, False), (True, None, False), (None, None, False)],
)
def test_who_may_bring_back_the_gil(
    enabled: bool | None, flag: int | None, kept_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = types.SimpleNamespace(flags=types.SimpleNamespace(gil=flag), modules={})
    if enabled is not None:
        interpreter._is_gil_enabled = lambda: enabled
    monkeypatch.setattr(libraries, "sys", interpreter)
    assert libraries._might_bring_back_gil("httptools") is kept_out
    assert libraries._might_bring_back_gil("setproctitle") is kept_out
    assert libraries._might_bring_back_gil("h11") is False
