"""Configurations for tests of renderers, and what is in the files that these make."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from wsgigroups.config import Configuration, load
from wsgigroups.interop.renderers import RENDERERS, ManagerStart, RenderContext

START = ManagerStart(files=("/etc/wsgigroups/groups.toml",), directory="/etc/wsgigroups")
CONTEXT = RenderContext(Path("/run/wsgigroups"), {}, "", "", "", START)
_TIME = re.compile(r"([0-9]+)(ms|s)")


def configured(text: str, path: Path) -> Configuration:
    """The configuration that a text is. path: of the file that it is written to."""
    path.write_text(text)
    result = load([path], trust=False, variables={})
    assert result.configuration is not None, [item.message for item in result.diagnostics]
    return result.configuration


def rendered(form: str, configuration: Configuration, context: RenderContext = CONTEXT) -> str:
    """The text of a form of one file."""
    (text,) = RENDERERS[form].files(configuration, context).values()
    return text


def keys(text: str, section: str) -> configparser.SectionProxy:
    """A section of a unit; each key stands once."""
    parser = configparser.RawConfigParser(strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys of units have capitals
    parser.read_string(text)
    return parser[section]


def seconds(text: str) -> float:
    """A time as renderers write it."""
    found = _TIME.fullmatch(text)
    assert found, text
    return int(found[1]) / (1000 if found[2] == "ms" else 1)


def times(text: str, before: str) -> list[float]:
    """Each time that stands behind these words."""
    return [seconds(found) for found in re.findall(rf"{re.escape(before)} ([0-9]+m?s)\b", text)]
