"""Build hooks: the description that a package index shows, and the accelerator.

The description is the README, whose links lead to the files of that version in the repository.

The accelerator is compiled where there is a compiler, and left out where there is none.

The wheel is tagged `cp38-abi3` then, since one file serves every CPython from 3.8 on, else it is one of pure Python.
CC names the compiler, "cc" if it is not set; an empty CC does without. An editable install has the file in the tree.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

SOURCE = "wsgigroups/runtime/_accelerator.c"
BUILT = "wsgigroups/runtime/_accelerator.abi3.so"
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-DNDEBUG", "-DPy_LIMITED_API=0x03080000")
PATIENCE_S = 120
RELATIVE_LINK = re.compile(r"(!?)(\[[^]]*\])\((?![a-z]+:|#)([^)\s]+)\)")


class DescriptionHook(MetadataHookInterface):
    """Adds the README as the description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme`; the version is read as the build reads it."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        version = re.search(r'__version__ = "(.+)"', Path(self.root, "wsgigroups", "__init__.py").read_text("utf-8"))
        repository = metadata["urls"]["Source"]
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, repository, f"v{version[1]}" if version else "main"),
        }


class AcceleratorHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled file to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; version: "standard" or "editable"."""
        editable = version == "editable"
        place = Path(self.root, BUILT)
        if not editable:
            self._made = tempfile.TemporaryDirectory()
            place = Path(self._made.name, place.name)
        reason = compile_to(place, Path(self.root, SOURCE))
        if reason:
            if editable:
                place.unlink(missing_ok=True)  # of an older source
            self.app.display_warning(f"The accelerator is left out, everything works without it: {reason}")
            return
        if not editable:
            build_data["force_include"][str(place)] = BUILT
        build_data["pure_python"] = False
        build_data["tag"] = f"cp38-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made beside the tree."""
        if version != "editable":
            self._made.cleanup()


def with_absolute_links(text: str, repository: str, revision: str) -> str:
    """Return the text with each relative link leading to the file of that tag or branch in the repository."""

    def absolute(found: re.Match[str]) -> str:
        kind = "raw" if found[1] else "blob"
        return f"{found[1]}{found[2]}({repository}/{kind}/{revision}/{found[3]})"

    return RELATIVE_LINK.sub(absolute, text)


def compile_to(place: Path, source: Path) -> str:
    """Compile the extension; return why that was not possible, "" if it was."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler:
        return "CC is empty"
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").exists():
        return f"there is no {include}/Python.h"
    # Beside it and then renamed: a process that has the old file mapped keeps it whole.
    fresh = place.with_suffix(f".{os.getpid()}")
    command = [*compiler, *FLAGS, f"-I{include}", str(source), "-o", str(fresh)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
        fresh.replace(place)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"{compiler[0]} ended with {error.returncode}"]
        return lines[0]
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        fresh.unlink(missing_ok=True)
    return ""
