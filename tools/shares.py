"""Which tests each account runs, and how the runs of an account that go on at the same time share them.

`tools/check.py` starts them; `tests/support/sharing.py` is what they agree with each other by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# To these it is all the same which account runs them: no account, no permission and no interpreter's place is in them.
# They are shared out so that the runs take about as long. As an ordinary account there are no tests marked `root`.
ROOT_IS_ENOUGH = (
    "tests/process/config/test_imports.py",
    "tests/process/config/test_no_traceback.py",
    "tests/process/config/test_queries.py",
    "tests/process/config/test_refused_files.py",
    "tests/process/config/test_rendered_playbooks.py",
    "tests/process/daemon/test_ending.py",
    "tests/process/daemon/test_lifetime.py",
    "tests/process/manager/test_advise.py",
    "tests/process/manager/test_applications.py",
    "tests/process/manager/test_authority.py",
    "tests/process/manager/test_benchmark_trials.py",
    "tests/process/manager/test_changes_under_load.py",
    "tests/process/manager/test_clocks.py",
    "tests/process/manager/test_dashboard.py",
    "tests/process/manager/test_deaths.py",
    "tests/process/manager/test_early_signals.py",
    "tests/process/manager/test_failures.py",
    "tests/process/manager/test_followed_pages.py",
    "tests/process/manager/test_leftovers.py",
    "tests/process/manager/test_life_of_a_configuration.py",
    "tests/process/manager/test_listener_moves.py",
    "tests/process/manager/test_listeners.py",
    "tests/process/manager/test_lost_files.py",
    "tests/process/manager/test_metrics.py",
    "tests/process/manager/test_new_code.py",
    "tests/process/manager/test_real_applications.py",
    "tests/process/manager/test_scaling.py",
    "tests/process/manager/test_service_notices.py",
    "tests/process/manager/test_sites.py",
    "tests/process/manager/test_spawners.py",
    "tests/process/manager/test_start_up.py",
    "tests/process/manager/test_telemetry.py",
    "tests/process/manager/test_without_file.py",
    "tests/process/serving",
    "tests/unit/config/test_reading.py",
    "tests/unit/wsgi",
)
ORDINARY_IS_ENOUGH = (
    "tests/process/config/test_files_under_writers.py",
    "tests/process/config/test_init_applies.py",
    "tests/process/daemon/test_patched.py",
    "tests/process/gateway/test_contract.py",
    "tests/process/gateway/test_forged.py",
    "tests/process/gateway/test_shortage.py",
    "tests/process/gateway/test_sites.py",
    "tests/process/gateway/test_tls.py",
    "tests/process/gateway/test_verdicts.py",
    "tests/process/manager/test_access_log.py",
    "tests/process/manager/test_applies.py",
    "tests/process/manager/test_applies_at_once.py",
    "tests/process/manager/test_broken_code.py",
    "tests/process/manager/test_commands.py",
    "tests/process/manager/test_deaths_in_an_apply.py",
    "tests/process/manager/test_drain_delay.py",
    "tests/process/manager/test_drill.py",
    "tests/process/manager/test_events.py",
    "tests/process/manager/test_gateway_deaths.py",
    "tests/process/manager/test_gateway_replacements.py",
    "tests/process/manager/test_looking.py",
    "tests/process/manager/test_lost_state.py",
    "tests/process/manager/test_manager_deaths.py",
    "tests/process/manager/test_mounts.py",
    "tests/process/manager/test_named.py",
    "tests/process/manager/test_only.py",
    "tests/process/manager/test_passed_sockets.py",
    "tests/process/manager/test_patched.py",
    "tests/process/manager/test_plan_files.py",
    "tests/process/manager/test_recycling.py",
    "tests/process/manager/test_recycling_under_load.py",
    "tests/process/manager/test_rollout.py",
    "tests/process/manager/test_signals.py",
    "tests/process/manager/test_stopped.py",
    "tests/process/manager/test_top.py",
    "tests/process/manager/test_upgrade.py",
    "tests/process/web",
    "tests/property",
    "tests/repo/test_applications.py",
    "tests/repo/test_benchmarks.py",
    "tests/repo/test_building.py",
    "tests/repo/test_documented_ci.py",
    "tests/repo/test_documented_commands.py",
    "tests/repo/test_mutants.py",
    "tests/repo/test_names.py",
    "tests/repo/test_newcomers.py",
    "tests/repo/test_public_place.py",
    "tests/repo/test_purity.py",
    "tests/repo/test_samples.py",
    "tests/repo/test_schema.py",
    "tests/repo/test_sharing.py",
    "tests/repo/test_site.py",
    "tests/repo/test_tidy.py",
    "tests/simulation",
    "tests/unit/calls",
    "tests/unit/cli",
    "tests/unit/client",
    "tests/unit/config/test_codes_in_use.py",
    "tests/unit/config/test_compose.py",
    "tests/unit/config/test_explaining.py",
    "tests/unit/config/test_places.py",
    "tests/unit/config/test_reports.py",
    "tests/unit/config/test_speed.py",
    "tests/unit/config/test_values.py",
    "tests/unit/config/test_yaml_scanner.py",
    "tests/unit/front",
    "tests/unit/interop",
    "tests/unit/lifecycle",
    "tests/unit/manager/core",
    "tests/unit/manager/test_applies_in_a_row.py",
    "tests/unit/metrics",
    "tests/unit/plan",
    "tests/unit/protocol",
    "tests/unit/records",
    "tests/unit/web",
)
# One run of an account begins with these, and no other run of it has any of them: they fill up an account's processes
# and keyrings, or look for what is left of its processes. Two at a time would take each other's.
ONE_AT_A_TIME = (
    "tests/conformance",
    "tests/foreign",
    "tests/process/daemon",
    "tests/process/spawner",
    "tests/security",
)
# These tests take most branches of the packages that do nothing but compute (`tool.coverage` in pyproject.toml): one
# run measures that, in place of a run of its own. It has none of what computes for long, which measuring makes slow.
COVERED = (
    *(f"tests/unit/{name}" for name in ("cli", "config", "front", "gateway", "lifecycle", "manager", "metrics")),
    *("tests/unit/plan", "tests/unit/protocol", "tests/unit/targets", "tests/repo/test_schema.py"),
)
NOT_MEASURED = ("tests/property", "tests/simulation")
# Run once more without the accelerator: what its absence could change.
WITHOUT_ACCELERATOR = (
    "tests/unit/protocol",
    "tests/unit/front",
    "tests/property/test_protocol_splits.py",
)
RUNS = 2  # at the same time, of each account: they wait a good part of the time
SLOWEST = 25  # so many tests of each run are shown with their time


def without(paths: Sequence[str]) -> list[str]:
    """Return the arguments for pytest that leave these paths out."""
    return [f"--ignore={path}" for path in paths]


@dataclass(frozen=True)
class Share:
    """One run of pytest of several."""

    name: str
    command: tuple[str, ...]
    as_account: bool
    failures: Path  # where it writes what failed, if it went through all its tests: tests/conftest.py
    environ: Mapping[str, str] = field(default_factory=dict)  # more variables of its environment

    def failed(self) -> list[str]:
        """Return the tests that failed; none where the run did not get so far as to tell, whatever the reason."""
        try:
            return self.failures.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


def begin_with(paths: Sequence[str]) -> list[str]:
    """Return the arguments for a run that shares its files to take these first."""
    return [f"--first={path}" for path in paths]


def shares(directory: str, left_out: Sequence[str], *, as_account: bool) -> list[Share]:
    """Return the runs of an account: the first begins with what only one may have, the others have none of it.

    The last one of the ordinary account measures which branches its tests take.
    """
    whose = "the account" if as_account else "root"
    found = []
    for number in range(1, RUNS + 1):
        file = Path(directory, f"failed-{number}")
        chosen = ["-m", "not measured", f"--durations={SLOWEST}", f"--share={directory}", f"--failures={file}"]
        chosen += without(left_out)
        chosen += begin_with(ONE_AT_A_TIME) if number == 1 else without(ONE_AT_A_TIME)
        covers = as_account and number == RUNS
        if covers:
            chosen += [*begin_with(COVERED), *without(NOT_MEASURED)]
        elif as_account:
            chosen += without(COVERED)
        program = ("coverage", "run", taken_branches(directory), "-m", "pytest") if covers else ("pytest",)
        found.append(Share(f"run {number} of {whose}", (*program, *chosen), as_account, file))
    return found


def taken_branches(directory: str) -> str:
    """Return the argument of coverage that says where the branches are noted which tests take."""
    return f"--data-file={directory}/coverage"


def without_accelerator(directory: str) -> Share:
    """Return the run without the accelerator. It goes on while other accounts' packages are built."""
    file = Path(directory, "failed-without-accelerator")
    command = ("pytest", "-q", f"--failures={file}", *WITHOUT_ACCELERATOR)
    environ = {"WSGIGROUPS_ACCELERATOR": "0"}
    return Share("pytest without the accelerator", command, as_account=False, failures=file, environ=environ)


def timed(directory: str, tree: Path) -> Share:
    """Return the run of the tests that have a bound on time. To collect all other files takes its time, too."""
    file = Path(directory, "failed-measured")
    command = ("pytest", "-m", "measured", f"--failures={file}", *measured(tree))
    return Share("run of what is measured", command, as_account=False, failures=file)


def measured(tree: Path) -> list[str]:
    """Return the test files that have a test with a bound on time: to collect all others takes its time, too."""
    files = sorted(tree.joinpath("tests").rglob("test_*.py"))
    return [str(file.relative_to(tree)) for file in files if "mark.measured" in file.read_text(encoding="utf-8")]
