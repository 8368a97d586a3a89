"""Every documented option with its documented default, compared with models, schema and option reference.

The table is WSGIDaemonProcess's documentation (https://modwsgi.readthedocs.io, "configuration-directives") and the
defaults and bounds of mod_wsgi's source; it is written here by hand, so that a change of a model shows.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import OPTIONS
from wsgigroups.config.units import parse_bytes, parse_duration

ROOT = Path(__file__).parents[2]

# option → default, effect, least value accepted besides 0 (None: no bound), kind
DOCUMENTED: dict[str, tuple[Any, str, int | None, str]] = {
    "processes": (1, "live", 1, "integer"),
    "threads": (15, "replace", 1, "integer"),
    "display-name": (None, "live", None, "text"),
    "home": (None, "replace", None, "path"),
    "user": (None, "replace", None, "ordinary-user"),
    "group": (None, "replace", None, "ordinary-user"),
    "supplementary-groups": ((), "replace", None, "group-names"),
    "umask": (None, "replace", None, "umask"),
    "lang": (None, "replace", None, "locale"),
    "locale": (None, "replace", None, "locale"),
    "chroot": (None, "replace", None, "path"),
    "script-user": (None, "live", None, "user"),
    "script-group": (None, "live", None, "user"),
    "python-home": (None, "replace", None, "path"),
    "python-path": ((), "replace", None, "paths"),
    "python-eggs": (None, "replace", None, "path"),
    "restart-interval": (0.0, "live", None, "duration"),
    "maximum-requests": (0, "live", 0, "integer"),
    "inactivity-timeout": (0.0, "live", None, "duration"),
    "request-timeout": (0.0, "live", None, "duration"),
    "deadlock-timeout": (300.0, "live", None, "duration"),
    "startup-timeout": (0.0, "live", None, "duration"),
    "graceful-timeout": (0.0, "live", None, "duration"),
    "eviction-timeout": (0.0, "live", None, "duration"),
    "shutdown-timeout": (5.0, "live", None, "duration"),
    "connect-timeout": (15.0, "live", None, "duration"),
    "socket-timeout": (60.0, "live", None, "duration"),
    "queue-timeout": (0.0, "live", None, "duration"),
    "listen-backlog": (100, "rebind", 1, "integer"),
    "socket-user": (None, "rebind", None, "user"),
    "cpu-time-limit": (0.0, "replace", 1, "duration"),
    "cpu-priority": (0, "live", -20, "integer"),
    "memory-limit": (0, "live", 1048576, "bytes"),
    "virtual-memory-limit": (0, "live", 1048576, "bytes"),
    "stack-size": (0, "replace", 32768, "bytes"),
    "receive-buffer-size": (0, "rebind", 512, "bytes"),
    "send-buffer-size": (0, "rebind", 512, "bytes"),
    "header-buffer-size": (32768, "live", 8192, "bytes"),
    "response-buffer-size": (65536, "live", 65536, "bytes"),
    "response-socket-timeout": (0.0, "live", None, "duration"),
}
EXTENSIONS = {
    "app": (None, "replace", "callable"),
    "script": (None, "replace", "path"),
    "callable-object": ("application", "replace", "identifier"),
    "load": ("eager", "replace", "choice"),
    "script-reloading": (False, "replace", "boolean"),
    "listen": ((), "rebind", "addresses"),
    "environment": ({}, "replace", "environment"),
    "environment-files": ((), "replace", "paths"),
    "switch-interval": (0.0, "replace", "duration"),
    "memory-soft-limit": (0, "live", "bytes"),
    "request-timeout-mode": ("average", "live", "choice"),
    "interrupt-timeout": (0.0, "live", "duration"),
    "trusted-proxies": ((), "live", "networks"),
    "keep-alive-timeout": (5.0, "live", "duration"),
    "response-flush-delay": (0.0, "none", "duration"),
    "access-log": ("off", "live", "choice"),
    "error-log": (None, "live", "path"),
    "server-metrics": (False, "live", "boolean"),
}


def test_nothing_is_missing_and_nothing_is_hidden() -> None:
    assert set(OPTIONS) == set(DOCUMENTED) | set(EXTENSIONS)
    assert {name for name, option in OPTIONS.items() if option.extension} == set(EXTENSIONS)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_options(name: str) -> None:
    default, effect, least, kind = DOCUMENTED[name]
    option = OPTIONS[name]
    assert (option.default, type(option.default)) == (default, type(default))
    assert option.effect.value == effect
    assert option.minimum == least
    assert option.kind == kind
    if least is not None and kind in ("bytes", "duration"):
        assert option.zero_allowed, "0 turns a limit off"


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extensions(name: str) -> None:
    default, effect, kind = EXTENSIONS[name]
    option = OPTIONS[name]
    assert (option.default, type(option.default)) == (default, type(default))
    assert (option.effect.value, option.kind) == (effect, kind)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_reference_says_what_the_model_does(name: str) -> None:
    """docs/options.md and the data of `explain`, field by field."""
    option = OPTIONS[name]
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    section = re.search(rf'<a id="group-{name}"></a>\n(.*?)(?=\n<a id=|\n## |\Z)', text, re.DOTALL)
    assert section
    assert option.doc in section[1]
    assert f"- Effect of a change: {option.effect.value} ({option.effect_reason})" in section[1]
    row = re.search(rf"^\| \[`{name}`\]\(#group-{name}\) \| .* \|$", text, re.MULTILINE)
    assert row
    assert row[0].endswith(f"| {option.effect.value} |")
    facts = json.loads((ROOT / "wsgigroups/config/generated/options.json").read_text())["groups.NAME"][name]
    assert (facts["doc"], facts["effect"], facts["unit"]) == (option.doc, option.effect.value, option.unit)
    assert ("- Extension" in section[1]) == facts["extension"] == option.extension
    if option.kind == "duration":
        assert parse_duration(facts["default-value"]) == option.default
    elif option.kind == "bytes":
        assert parse_bytes(facts["default-value"]) == option.default
    else:
        assert facts["default-value"] == (option.default if option.default not in (None, (), {}) else None)
    if option.minimum is not None and option.kind == "integer":
        assert f"from {option.minimum} to {option.maximum}" in section[1]
