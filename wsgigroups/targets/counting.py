"""Where the processes of a group count what they have to tell (`application-metrics`). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.config import Group
    from wsgigroups.plan.desired import GroupTarget

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # of prometheus_client


def counting_directory(run_dir: Path, group: str) -> Path:
    """The directory of a group."""
    return run_dir / "metrics" / "live" / group


def counting_variables(run_dir: Path, name: str, group: Group) -> dict[str, str]:
    """Variables of the processes, above what the group sets itself."""
    return {VARIABLE: str(counting_directory(run_dir, name))} if group.application_metrics else {}


def counts(target: GroupTarget, run_dir: Path) -> bool:
    """Whether the processes of a target count there."""
    counted = target.spec.environment.get(VARIABLE)
    return counted is not None and counted == str(counting_directory(run_dir, target.name))
