"""What an apply would change that has to start a manager. Changes nothing, takes nothing over.

Runs in a command, for `plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.code import CodeKeeper
from wsgigroups.manager.inherited import inherited
from wsgigroups.manager.store import Store, Stored
from wsgigroups.plan.planner import plan
from wsgigroups.plan.precondition import precondition
from wsgigroups.targets.code import CodeReader, with_code
from wsgigroups.targets.resolve import resolve, surroundings
from wsgigroups.trust.walking import UntrustedPathError, follow, trusted_here

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.config import Configuration
    from wsgigroups.plan.observed import Observed


def plan_unmanaged(configuration: Configuration, run_dir: Path, state_dir: Path, log_dir: Path) -> dict[str, Any]:
    """Return what an apply would change that has to start a manager, as `Applying.plan` does.

    Raises WsgigroupsError.
    """
    store = Store(state_dir)
    try:
        digest_key = store.present_digest_key()
    except (OSError, ValueError):
        digest_key = None
    code = CodeReader()
    observed, notices = observe(run_dir, state_dir)
    around = surroundings(run_dir, log_dir, state_dir, digest_key)
    try:
        stored = store.load()
    except WsgigroupsError:
        stored = Stored(store.last_number())
    targets = resolve(configuration, inherited(stored, around) if observed else around)
    found = code.read(targets.values())
    targets = {name: with_code(target, found.get(name)) for name, target in targets.items()}
    kept = CodeKeeper(state_dir / "code")
    planned = plan(targets, observed, lambda digest: code.files.get(digest) or kept.files_of(digest)).to_json()
    depends = precondition(stored.revision, targets, observed, keyed=digest_key is not None)
    return {**planned, "notices": [*planned["notices"], *notices], "precondition": depends.to_json()}


def observe(run_dir: Path, state_dir: Path) -> tuple[Observed, list[str]]:
    """Return what a manager that starts would find, and what is to be said of it. Nothing without a living spawner."""
    paths = _sockets(run_dir / "spawners")
    if not paths:
        return {}, []
    from wsgigroups.manager.left_running import left_running  # most of a manager is loaded for it

    return left_running(paths, run_dir, state_dir)


def _sockets(directory: Path) -> list[Path]:
    """Return the sockets that spawners may have; none in a directory that is not to be trusted."""
    try:
        with follow(str(directory), trusted_here()):
            return sorted(directory.glob("*.sock"))
    except (OSError, UntrustedPathError):
        return []
