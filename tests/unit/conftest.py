"""Loading a configuration from text in one call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wsgigroups.config import Loaded, load
from wsgigroups.host.checks.host import against
from wsgigroups.host.interface import Host

sys.dont_write_bytecode = True

Check = Callable[..., Loaded]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Return a function: text (and suffix, a host to ask, options of load) → what loading gave."""

    def run(text: str | bytes, suffix: str = ".toml", host: Host | None = None, **options: Any) -> Loaded:
        path = tmp_path / f"groups{suffix}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        options.setdefault("variables", {})
        options.setdefault("check", host and against(host))
        return load([path], **options)

    return run


@pytest.fixture
def blog(check: Check) -> Check:
    """Like check, for the options of one group that is right otherwise."""

    def run(options: str, **more: Any) -> Loaded:
        listen = "" if "listen =" in options else 'listen = ["127.0.0.1:8000"]\n'
        app = "" if "script =" in options or "app =" in options else 'app = "blog.wsgi:application"\n'
        return check(f"version = 1\n[groups.blog]\n{app}{listen}{options}\n", **more)

    return run
