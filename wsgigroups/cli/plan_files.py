"""Plan files: a plan with its configuration and what it was made against, to be looked at and applied later.

Runs in the user's process. A file holds what its configuration holds, secrets included: mode 0600.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from wsgigroups.cli.asking import ConfigurationRequest
from wsgigroups.cli.new_files import replace_at_once
from wsgigroups.config.reading import untrusted
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.trust.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsgigroups.client.answers import PlanAnswer

KIND, SCHEMA_VERSION = "wsgigroups-plan", 1
_MARK = f'{{"kind": "{KIND}"'.encode()
_MAXIMUM_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What a plan file says."""

    plan: PlanAnswer
    asked: ConfigurationRequest


def save(path: Path, plan: PlanAnswer, asked: ConfigurationRequest) -> None:
    """Write a plan file, wholly or not at all. Raises WsgigroupsError."""
    body = {"kind": KIND, "schema_version": SCHEMA_VERSION, "plan": plan, **asked.body}
    try:
        replace_at_once(path, json.dumps(body).encode(), 0o600)
    except OSError as error:
        raise WsgigroupsError(f"cannot write the plan to {path}: {error.strerror}") from None


def read(files: Sequence[Path]) -> PlanFile | None:
    """Return the plan file that was named; None where configurations were. Raises WsgigroupsError."""
    opened = [(path, file) for path in files if (file := _opened(path)) is not None]
    try:
        return _read(opened, len(files)) if opened else None
    finally:
        for _path, file in opened:
            file.close()


def _read(opened: Sequence[tuple[Path, BinaryIO]], named: int) -> PlanFile:
    ((path, file), *others) = opened
    if others or named > 1:
        raise WsgigroupsError(
            f"cannot apply the plan {path} together with other files", hint="name it alone", exit_code=ExitCode.USAGE
        )
    component = untrusted(path)
    if component is not None:
        raise WsgigroupsError(
            f"cannot use the plan {path}: another user could change {component}, and root would do what it says",
            hint="plan into a directory that root alone can write",
            exit_code=ExitCode.USAGE,
        )
    try:
        body = json.loads(file.read(_MAXIMUM_BYTES))
        version, plan, configuration = body["schema_version"], body["plan"], body["configuration"]
        complete = isinstance(configuration, dict) and {"steps", "counts", "notices", "precondition"} <= plan.keys()
        only = tuple(map(str, body["only"])) if "only" in body else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        complete, version, only = False, SCHEMA_VERSION, None
    if version != SCHEMA_VERSION or not complete:
        why = "it is of another version" if version != SCHEMA_VERSION else "it is damaged"
        raise WsgigroupsError(
            f"cannot use the plan {path}: {why}", hint="make it anew: plan --out", exit_code=ExitCode.USAGE
        )
    return PlanFile(plan, ConfigurationRequest(configuration, only))


def _opened(path: Path) -> BinaryIO | None:
    """Open a file that begins as plan files do; what cannot be read is told by whoever reads configurations."""
    try:
        file = os.fdopen(open_regular(str(path)), "rb")
    except OSError:
        return None
    with contextlib.suppress(OSError):
        if file.peek(len(_MARK))[: len(_MARK)] == _MARK:
            return file
    file.close()
    return None
