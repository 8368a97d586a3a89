"""No code of other packages is loaded by a command, which may be root: pydantic would load the plugins it finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GROUPS = 'version = 1\n[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n'
VARIABLE = "PYDANTIC_DISABLE_PLUGINS"


def says_so(tmp_path: Path, environ: dict[str, str]) -> bool:
    """Whether a plugin that is installed is loaded by a command that reads a file."""
    installed = tmp_path / "installed"
    metadata = installed / "a_plugin-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[pydantic]\na = a_plugin:plugin\n")
    (installed / "a_plugin.py").write_text("import sys\nsys.stderr.write('loaded')\nplugin = None\n")
    (tmp_path / "groups.toml").write_text(GROUPS)
    command = [sys.executable, "-m", "wsgigroups", "config", "show", str(tmp_path / "groups.toml")]
    done = subprocess.run(command, env={**environ, "PYTHONPATH": str(installed)}, capture_output=True, check=False)
    return b"loaded" in done.stderr


@pytest.mark.parametrize("asked", [False, True])
def test_plugins_are_loaded_only_where_somebody_asks_for_them(tmp_path: Path, asked: bool) -> None:
    environ = {key: value for key, value in os.environ.items() if key != VARIABLE}
    assert says_so(tmp_path, {**environ, VARIABLE: "another"} if asked else environ) is asked
