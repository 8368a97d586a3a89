"""Whether the installed version could take over: tried in a child process, before anything is let go of.

The child is started as the manager was, and as whoever the manager is. It imports all that a manager has, reads what
is stored, compiles the runtime, says on standard output what it is, and ends. It takes no lock, connects to nobody and
starts nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import wsgigroups
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.store import Store
from wsgigroups.manager.supervision.connected_spawners import KNOWN_ABIS
from wsgigroups.manager.supervision.recovery import is_in_force
from wsgigroups.manager.supervision.remembering import group_from_json
from wsgigroups.manager.upgrade.handover import Handover, environment_with
from wsgigroups.runtime.text import clean
from wsgigroups.runtime.wire import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_S = 60.0
_STAYS = "this manager stays in charge, and nothing was changed"


@dataclass(frozen=True, slots=True)
class InstalledVersion:
    """What would take over. digest: of its runtime; abis: of the spawners whose inventory it understands."""

    version: str
    digest: str
    abis: tuple[int, ...]


def rehearse(run_dir: Path, state_dir: Path) -> int:
    """In the child: say what we are. Raises WsgigroupsError for what this version cannot take over."""
    stored = Store(state_dir).load()
    for name, item in stored.groups.items():
        if not is_in_force(item, run_dir):
            continue
        try:
            group_from_json(item)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WsgigroupsError(f"cannot use what is stored of {name}: {error!r}") from None
    runtime = identity.own()
    for path in sorted(Path(runtime.path).rglob("*.py")):
        try:
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError) as error:
            raise WsgigroupsError(f"cannot use {path}: {error}") from None
    found = {"version": wsgigroups.__version__, "digest": runtime.digest, "abis": list(KNOWN_ABIS)}
    os.write(1, json.dumps(found).encode() + b"\n")
    return int(ExitCode.DONE)


def ask(argv: Sequence[str], longest_s: float = LONGEST_S) -> InstalledVersion:
    """In a thread of the manager: have the installed version rehearse. Raises WsgigroupsError with its words."""
    handover = Handover(os.getpid(), rehearses=True)
    try:
        done = subprocess.run(
            argv,
            env=environment_with(handover, {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=longest_s,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise _refusal(f"it did not answer within {longest_s:g} s") from None
    except OSError as error:
        raise _refusal(f"{argv[0]}: {error.strerror}") from None
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        said = next((line for line in words if line.startswith("error: ")), words[-1] if words else "")
        ended = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        raise _refusal(clean(said.removeprefix("error: "))[:1000] or f"it ended with {ended} and said nothing")
    try:
        found = json.loads(lines[-1])
        return InstalledVersion(str(found["version"]), str(found["digest"]), tuple(map(int, found["abis"])))
    except (IndexError, ValueError, KeyError, TypeError):
        raise _refusal("it does not say what it is") from None


def _refusal(why: str) -> WsgigroupsError:
    return WsgigroupsError(f"cannot upgrade: the installed version cannot take over: {why}", hint=_STAYS)
