"""Asking managers on other machines for their status: over ssh, all at once, each for a limited time.

Runs in the user's process. What a machine answers is not checked further than that it is a
document of this kind.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from wsgigroups.errors import WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsgigroups.client.answers import StatusAnswer
    from wsgigroups.client.inventory import RemoteMachine

MOST_AT_ONCE = 32
MOST_BYTES = 32 * 1024 * 1024  # of one answer
NO_STATUS = "what it answers is no status that this version knows"
_NOT_FOUND = 127  # of a shell
_MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class MachineAnswer:
    """What came of asking a machine: its status, or why there is none."""

    machine: RemoteMachine
    status: StatusAnswer | None
    error: str = ""


def ask_machines(
    machines: Sequence[RemoteMachine], timeout_s: float, run_dir: Path | None = None
) -> list[MachineAnswer]:
    """Ask all; the answers are in the order of the machines. timeout_s: for each; run_dir: of the managers there.

    Raises WsgigroupsError where there is no ssh.
    """
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(machines))) as pool:
        return list(pool.map(lambda machine: _ask(machine, timeout_s, run_dir), machines))


def command_for(machine: RemoteMachine, timeout_s: float, run_dir: Path | None = None) -> list[str]:
    """Return the command that asks. It never asks for a password."""
    there = ["sudo", "-n"] if machine.become else []
    there += [machine.program, *(["--run-dir", str(run_dir)] if run_dir else []), "status", "-o", "json"]
    return [
        *("ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, round(timeout_s))}"),
        *(["-p", str(machine.port)] if machine.port is not None else []),
        *(["-l", machine.user] if machine.user is not None else []),
        *("--", machine.address, shlex.join(there)),
    ]


def _ask(machine: RemoteMachine, timeout_s: float, run_dir: Path | None) -> MachineAnswer:
    command = command_for(machine, timeout_s, run_dir)
    # files, not pipes: who is started by ssh may keep a pipe open when ssh has ended
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return MachineAnswer(machine, None, f"no answer within {timeout_s:g} s")
        except OSError as error:
            raise WsgigroupsError(
                f"cannot run ssh: {error.strerror}", hint="it is asked for the status of the machines"
            ) from None
        for file in (out, err):
            file.seek(0)
        answer, said = out.read(MOST_BYTES + 1), err.read(MOST_BYTES).decode("utf-8", "replace")
    if done.returncode:
        return MachineAnswer(machine, None, _why(machine, done.returncode, said))
    return _read(machine, answer)


def _why(machine: RemoteMachine, code: int, said: str) -> str:
    if code == _NOT_FOUND:
        return clean(f"{machine.program} is not there: the variable groups_program of the inventory says where it is")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    ours = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    words = clean((ours or lines[-1:] or [f"the command ended with exit code {code}"])[0])
    return words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 1] + "…"


def _read(machine: RemoteMachine, answer: bytes) -> MachineAnswer:
    try:
        if len(answer) > MOST_BYTES:
            raise ValueError("too long")  # noqa: TRY301
        status = json.loads(answer)
        if not isinstance(status, dict) or status.get("schema_version") != 1:
            raise ValueError("of another form")  # noqa: TRY301
    except (ValueError, RecursionError):
        return MachineAnswer(machine, None, NO_STATUS)
    return MachineAnswer(machine, cast("StatusAnswer", status))
