"""Plan files: a plan with its configuration and what it was made against, to be looked at and applied later.

Runs in the user's process. A file holds what its configuration holds, secrets included: mode 0600.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.cli.asking import ConfigurationRequest
from wsgigroups.errors import ExitCode, WsgigroupsError

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
    temporary = path.with_name(f".{path.name}.new")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(json.dumps(body).encode())
        os.replace(temporary, path)
    except OSError as error:
        raise WsgigroupsError(f"cannot write the plan to {path}: {error.strerror}") from None


def read(files: Sequence[Path]) -> PlanFile | None:
    """Return the plan file that was named; None where configurations were. Raises WsgigroupsError."""
    marked = [path for path in files if _is_marked(path)]
    if not marked:
        return None
    (path, *others) = marked
    if others or len(files) > 1:
        raise WsgigroupsError(
            f"cannot apply the plan {path} together with other files", hint="name it alone", exit_code=ExitCode.USAGE
        )
    try:
        with open(path, "rb") as file:
            body = json.loads(file.read(_MAXIMUM_BYTES))
        version, plan, configuration = body["schema_version"], body["plan"], body["configuration"]
        complete = isinstance(configuration, dict) and {"steps", "counts", "notices", "precondition"} <= plan.keys()
        only = tuple(map(str, body["only"])) if "only" in body else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        complete, version, only = False, SCHEMA_VERSION, None
    if version != SCHEMA_VERSION or not complete:
        why = "it is of another version" if version != SCHEMA_VERSION else "it is damaged"
        raise WsgigroupsError(
            f"cannot use the plan {path}: {why}", hint="make it anew: plan --out", exit_code=ExitCode.USAGE
        )
    return PlanFile(plan, ConfigurationRequest(configuration, only))


def _is_marked(path: Path) -> bool:
    """Whether a file begins as plan files do; what cannot be read is told by whoever reads configurations."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return os.read(fd, len(_MARK)) == _MARK
        finally:
            os.close(fd)
    except OSError:
        return False
