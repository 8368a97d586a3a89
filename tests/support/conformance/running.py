"""Starts both servers with the groups of all cases, and asks them all at the same time: they mostly wait.

Runs in pytest's process, as root.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.conformance.apache import ACCOUNT, Apache
from support.conformance.asking import Asked
from support.conformance.case import Case, Facts, Row, rows
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest

_SCRIPT = """import os, sys
sys.path.append({apps!r})
os.environ["GATE_DIRECTORY"] = os.path.dirname(os.path.abspath(__file__)) + "/gate"
from conforming_app import application
sys.path.remove({apps!r})
"""
_PATIENCE_S = {False: 3.0, True: 40.0}  # whether it is ours: what we do may take its time; mod_wsgi never does it


def compare(cases: Sequence[Case], directory: Path) -> list[Row]:
    """Ask both servers everything. Raises what asking raised, with the names of case and server."""
    base = Path(tempfile.mkdtemp(prefix="wg-", dir="/tmp"))
    base.chmod(0o755)
    try:
        there, here = _answers(cases, base, directory)
    finally:
        shutil.rmtree(base)
    return [row for case, theirs, ours in zip(cases, there, here, strict=True) for row in rows(case, theirs, ours)]


def _answers(cases: Sequence[Case], base: Path, directory: Path) -> list[list[Facts]]:
    """Start both servers, ask, and end them: the manager last, because it looks for what is left."""
    theirs, ours = (_write_scripts(cases, base / side) for side in ("mod_wsgi", "ours"))
    top = base / "mod_wsgi" / "apache"
    top.mkdir(mode=0o755)
    with (
        ManagerUnderTest(directory) as manager,
        Apache(top, manager.port(), theirs, cases) as apache,
        _gates(theirs) as their_gates,
        _gates(ours) as our_gates,
    ):
        ports = _apply(manager, cases, ours)
        apache.wait()
        sides = [
            [_asked(case, apache.port, theirs, their_gates, ours=False) for case in cases],
            [_asked(case, ports[case.name], ours, our_gates, ours=True) for case in cases],
        ]
        with ThreadPoolExecutor(2 * len(cases)) as pool:
            answers = [
                [pool.submit(_ask, case, asked) for case, asked in zip(cases, side, strict=True)] for side in sides
            ]
        failed = [str(future.exception()) for side in answers for future in side if future.exception()]
        if failed:
            raise RuntimeError("\n".join(failed))
        return [[future.result() for future in side] for side in answers]


def _ask(case: Case, asked: Asked) -> Facts:
    try:
        return case.ask(asked)
    except Exception as error:
        raise RuntimeError(f"{case.name}, {'here' if asked.ours else 'mod_wsgi'}: {error!r}") from error


def _apply(manager: ManagerUnderTest, cases: Sequence[Case], scripts: dict[str, Path]) -> dict[str, int]:
    """Start the groups; return their ports."""
    ports = {case.name: manager.port() for case in cases}
    text = f'[server]\nuser = "{ACCOUNT}"\ngroup = "{ACCOUNT}"\n'
    manager.expect_in_log("")  # of every kind: that is what many cases ask for
    manager.apply(text + "".join(_group(case, scripts[case.name], ports[case.name]) for case in cases))
    return ports


def _asked(case: Case, port: int, scripts: dict[str, Path], gates: dict[str, Gate], *, ours: bool) -> Asked:
    prefix = "" if ours else f"/{case.name}"
    directory = scripts[case.name].parent
    return Asked(("127.0.0.1", port), prefix, directory, gates[case.name], ours, _PATIENCE_S[ours])


@contextlib.contextmanager
def _gates(scripts: dict[str, Path]) -> Iterator[dict[str, Gate]]:
    """Give the gates of the cases. They open before the servers end: none of them waits for a request that is held."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Gate(script.parent / "gate")) for name, script in scripts.items()}


def _write_scripts(cases: Sequence[Case], top: Path) -> dict[str, Path]:
    """Make the directory of each case: with the script, the gate's place, and room for notes of the application."""
    scripts = {}
    for case in cases:
        for name in ("gate", "notes"):
            (top / case.name / name).mkdir(mode=0o755, parents=True)
        (top / case.name / "notes").chmod(0o777)
        scripts[case.name] = top / case.name / "app.wsgi"
        scripts[case.name].write_text(_SCRIPT.format(apps=str(APPS)) + case.lines)
    return scripts


def _group(case: Case, script: Path, port: int) -> str:
    options = {"script": str(script), "listen": [f"127.0.0.1:{port}"], **case.options, **case.here}
    if case.lazy:
        options["load"] = "lazy"
    lines = (f"{name} = {json.dumps(value)}" for name, value in options.items())  # strings, numbers, lists, as in TOML
    return f"[groups.{case.name}]\n" + "\n".join(lines) + "\n"
