"""What is planned and applied: a whole configuration, or what some files say while the rest stays as it is.

Runs in the user's process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.cli.loading import certain_here, load_files
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import PlanAnswer
    from wsgigroups.config import Configuration
    from wsgigroups.config.compose import Layer

ONLY = click.option("--only", is_flag=True, help="Touch what comes from these files alone; the rest stays as it runs.")
_NOTHING: Mapping[str, Any] = {"version": 1}


@dataclass(frozen=True, slots=True)
class ConfigurationRequest:
    """What the manager is given. only: absolute paths, where the document is what these files say; None: all of it."""

    document: dict[str, Any]
    only: tuple[str, ...] | None = None
    configuration: Configuration | None = None  # that the document is of; None where nobody has read any files

    @property
    def body(self) -> dict[str, Any]:
        """As the control API takes it."""
        about = {} if self.only is None else {"only": list(self.only)}
        return {"configuration": self.document, **about}

    def plan(self, options: Globals) -> PlanAnswer:
        """Return the plan: against the manager that runs, or against what runs without one. Raises WsgigroupsError."""
        from wsgigroups.client import Client

        client = Client(options.run_dir)
        if self.configuration is None or self.only is not None or client.running():
            return client.plan(self.document, self.only)
        from wsgigroups.manager.unmanaged import plan_unmanaged

        planned: Any = plan_unmanaged(self.configuration, options.run_dir, options.state_dir, options.log_dir)
        return planned  # type: ignore[no-any-return]


def request(options: Globals, files: Sequence[Path], profiles: Sequence[str], *, only: bool) -> ConfigurationRequest:
    """Read files, with what is known of this host. Raises WsgigroupsError, for mistakes with exit code 2."""
    if only:
        return _beside(options, files, profiles, _running(options))
    configuration = load_files(options, files, profiles, on_this_host=True)
    return ConfigurationRequest(configuration.to_document(), configuration=configuration)


def check_alone(options: Globals, files: Sequence[Path], profiles: Sequence[str]) -> None:
    """Raise WsgigroupsError for files that could not be applied where nothing else runs."""
    _beside(options, files, profiles, _NOTHING)


def _running(options: Globals) -> Mapping[str, Any]:
    """The configuration that runs, which is to be there. Raises WsgigroupsError (6) where no manager is."""
    from wsgigroups.client import Client

    client = Client(options.run_dir)
    return client.configuration()["configuration"] if client.status()["revision"] else _NOTHING


def _beside(
    options: Globals, files: Sequence[Path], profiles: Sequence[str], running: Mapping[str, Any]
) -> ConfigurationRequest:
    from wsgigroups.cli.diagnostics import show_diagnostics
    from wsgigroups.cli.own_addresses import with_taken_addresses
    from wsgigroups.config import load
    from wsgigroups.config.only import files_of, layers_beside, merged, part_of

    if not files or any(str(path) == "-" for path in files):
        raise click.UsageError("--only is about files that have a name: give them.")
    given = [os.path.abspath(path) for path in files]
    mine: frozenset[str] = frozenset(given)

    def others(written: Sequence[Layer]) -> list[Layer]:
        nonlocal mine
        mine = files_of(running, written, given)
        return layers_beside(running, written, given)

    check = with_taken_addresses(options, certain_here())
    result = load(files, profiles=tuple(profiles), settle=True, check=check, beside=others)
    show_diagnostics(result, options.color)
    if result.configuration is None or result.composed is None:
        raise WsgigroupsError("cannot use this configuration", hint="nothing was changed", exit_code=ExitCode.USAGE)
    part = part_of(result.configuration.to_document(), result.composed)
    merged(running, part, mine)  # what the manager would refuse is refused before anything is begun
    return ConfigurationRequest(part, tuple(sorted(mine)))
