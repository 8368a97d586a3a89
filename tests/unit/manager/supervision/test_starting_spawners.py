"""A spawner that dies while it is being started: who waits for it is told."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.logs import logs_of_nobody
from support.looking import wait

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import starting
from wsgigroups.manager.supervision.spawners import SpawnerPool
from wsgigroups.plan.desired import SpawnerTarget

HUNG_S = 60.0
# ready, and gone before it accepts anybody; the executable is the interpreter of these tests, judged as usual
GONE = textwrap.dedent("""
    import os, sys
    os.write(int(sys.argv[sys.argv.index("--ready-fd") + 1]), b"ready\\n")
""")


def nothing(*_arguments: object) -> None:
    """Whatever is told to the owner of a pool is of no interest here."""


def test_one_that_dies_before_it_has_taken_the_managers_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = tmp_path / "gone.py"
    bootstrap.write_text(GONE)
    monkeypatch.setattr(starting, "_BOOTSTRAP", bootstrap)
    cgroups = SimpleNamespace(enter=nothing, leave=nothing)
    target = SpawnerTarget("3.11-test", sys.executable)

    async def start() -> None:
        pool = SpawnerPool(tmp_path, 2, nothing, nothing, nothing, cast("Any", cgroups), logs_of_nobody())
        try:
            await asyncio.wait_for(pool.get(target), HUNG_S)
        finally:
            wait(lambda: not pool.child_pids(), lambda: "it is not reaped")

    with pytest.raises((WsgigroupsError, OSError)) as raised:
        asyncio.run(start())
    assert not isinstance(raised.value, TimeoutError)
    assert list((tmp_path / "spawners").iterdir()) == []
